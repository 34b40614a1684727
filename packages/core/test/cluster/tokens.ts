import { generateKeyPairSync, sign } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../support/database.ts";

/** A new key, and tokens signed with it. */
export interface Tokens {
  /** For the server. */
  readonly keyFile: string;
  /** A token that is valid until this time, in Unix seconds. */
  until(expires: number): string;
}

export async function tokens(): Promise<Tokens> {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const keyFile = join(await temporaryFolder(), "key.pem");
  await writeFile(keyFile, publicKey.export({ type: "spki", format: "pem" }));
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString("base64url");
  return {
    keyFile,
    until: (expires) => {
      const text = `${encode({ alg: "EdDSA", typ: "JWT" })}.${encode({ exp: Math.floor(expires) })}`;
      return `${text}.${sign(null, Buffer.from(text), privateKey).toString("base64url")}`;
    },
  };
}
