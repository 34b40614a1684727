import type { EngineDatabase } from "./engine-api.js";
import { messageWithoutKeys } from "../sql/redact-keys.js";

/** Name and value, in the form of `PRAGMA name = value`. */
export type Pragma = readonly [name: string, literal: string];

/** Parameters of the encryption in SQLite3 Multiple Ciphers. They must be set before the key. */
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

/** Whether the pragma sets the key of an encrypted file. */
export function isKeyPragma([name]: Pragma): boolean {
  return KEY_PRAGMAS.has(name.toLowerCase());
}

/** Sorts pragmas: `first` must come before the file is read, with the key last; `later` has all others. */
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

/** Sets a pragma. Removes a key from the message of the engine's error. */
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
