/** Version of this package. */
export const version = "0.1.0";

/** Placeholders in SQL are written `?`. */
export const paramstyle = "qmark";

/**
 * Version of SQLite: until the first connection is open, the one that this release was tested with; then the one in
 * use.
 */
export let sqliteVersion = "3.54.1";

/** {@link sqliteVersion} as numbers. */
export let sqliteVersionInfo: readonly [number, number, number] = [3, 54, 1];

const followers: (() => void)[] = [];

/** @internal */
export function foundSqliteVersion(found: string): void {
  if (found === sqliteVersion) return;
  sqliteVersion = found;
  const [major = 0, minor = 0, patch = 0] = found.split(".").map(Number);
  sqliteVersionInfo = [major, minor, patch];
  for (const follow of followers) follow();
}

/** @internal The ESM form of the package exports copies of these variables; `follow` updates them. */
export function followSqliteVersion(follow: () => void): void {
  followers.push(follow);
}
