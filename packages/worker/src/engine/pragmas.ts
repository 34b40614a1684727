import type { EngineDatabase } from "./engine-api.js";
import { messageWithoutKeys } from "../sql/redact-keys.js";

/** Name and value, ready to stand in `PRAGMA name = value`. */
export type Pragma = readonly [name: string, literal: string];

/** How the file is encrypted, which must be known before the key is: SQLite3 Multiple Ciphers' parameters. */
const CIPHER_PRAGMAS = new Set([
  "algorithm",
  "fast_kdf_iter",
  "hmac_algorithm",
  "hmac_algorithm_compat",
  "hmac_check",
  "hmac_pgno",
  "hmac_salt_mask",
  "hmac_use",
  "kdf_algorithm",
  "kdf_iter",
  "legacy",
  "legacy_page_size",
  "mc_legacy_wal",
  "mcost",
  "pcost",
  "plaintext_header_size",
  "tcost",
]);

const KEY_PRAGMAS = new Set(["key", "hexkey", "textkey"]);

/** Whether it gives the key of an encrypted file. */
export function isKeyPragma([name]: Pragma): boolean {
  return KEY_PRAGMAS.has(name.toLowerCase());
}

/** Those that must come before anything that reads the file, the key the last of them; and all others. */
export function sortPragmas(pragmas: readonly Pragma[]): { first: Pragma[]; later: Pragma[] } {
  const cipher: Pragma[] = [];
  const key: Pragma[] = [];
  const later: Pragma[] = [];
  for (const pragma of pragmas) {
    const name = pragma[0].toLowerCase();
    if (isKeyPragma(pragma)) key.push(pragma);
    else if (name.startsWith("cipher") || CIPHER_PRAGMAS.has(name)) cipher.push(pragma);
    else later.push(pragma);
  }
  return { first: [...cipher, ...key], later };
}

/** Throws the engine's error, without the key that its message may quote. */
export function setPragma(db: EngineDatabase, [name, literal]: Pragma): void {
  const sql = `PRAGMA ${name} = ${literal}`;
  try {
    db.exec(sql);
  } catch (error) {
    throw withoutKeys(error as Error, sql);
  }
}

function withoutKeys(error: Error, sql: string): Error {
  const message = messageWithoutKeys(error.message, sql);
  if (message === error.message) return error;
  const shown = new Error(message);
  return Object.assign(shown, { name: error.name, code: Reflect.get(error, "code") });
}
