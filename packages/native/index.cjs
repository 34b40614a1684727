"use strict";

const { closeSync, existsSync, openSync, readSync } = require("node:fs");
const { join } = require("node:path");

const capabilities = Object.freeze({
  interrupt: true,
  authorizer: true,
  changes: true,
  statements: true,
  limits: true,
  hooks: true,
  functions: true,
  blobs: true,
  images: true,
  prefixes: true,
});

/** The first bytes of Node's binary name the loader of its C library, on all systems for which Node is built. */
function isMusl() {
  const head = headOf(process.execPath);
  if (head.includes("/ld-musl-")) return true;
  return head.includes("/ld-linux") ? false : isMuslByReport();
}

function headOf(file) {
  const head = Buffer.alloc(4096);
  try {
    const opened = openSync(file, "r");
    try {
      readSync(opened, head);
    } finally {
      closeSync(opened);
    }
  } catch {
    // The file may be gone or unreadable.
  }
  return head;
}

/** The same by Node's report, which takes some ten times as long. */
function isMuslByReport() {
  const { report } = process;
  const before = report.excludeNetwork;
  // Otherwise the report looks up the host names of all peers, which may take seconds.
  report.excludeNetwork = true;
  try {
    return report.getReport().header.glibcVersionRuntime === undefined;
  } finally {
    report.excludeNetwork = before;
  }
}

/** The folders in `prebuilds/` of the published package. */
const PUBLISHED = ["linux", "darwin", "win32"].flatMap((platform) => [
  `${platform}-x64`,
  `${platform}-arm64`,
]);

function missing(reason, cause) {
  const error = new Error(`@sqlite-aio/native has no binary that fits: ${reason}`, { cause });
  error.code = "ERR_SQLITE_AIO_NATIVE_MISSING";
  return error;
}

function find() {
  const built = join(__dirname, "build", "sqlite-aio.node");
  const libc = process.platform === "linux" && !existsSync(built) && isMusl() ? "-musl" : "";
  const target = `${process.platform}-${process.arch}${libc}`;
  const candidates = [built, join(__dirname, "prebuilds", target, "sqlite-aio.node")];
  const found = candidates.find((file) => existsSync(file));
  if (found === undefined) {
    const fix = PUBLISHED.includes(target.replace(/-musl$/, ""))
      ? "install the package again from the registry, with all of its files (a bundler or a packer may have left them out)"
      : `it is published for ${PUBLISHED.join(", ")}; its sources compile with \`pnpm build\` in a clone of the repository`;
    throw missing(`there is no ${candidates[1]} for ${target}: ${fix}`);
  }
  // SQLite opens the file itself and cannot read archives. Both sides must name the same file, or there would be two
  // tables of handles.
  return found.replace(/\bapp\.asar(?=[\\/])/, "app.asar.unpacked");
}

function load(file) {
  try {
    return require(file);
  } catch (error) {
    const [why] = String(error.message).split(/\r?\n/, 1);
    throw missing(`${file} does not load on ${process.platform}-${process.arch} (${why})`, error);
  }
}

const path = find();
const addon = load(path);
const {
  lastToken,
  interrupt,
  undoInterrupted,
  environment,
  stopWith,
  setAuthorizer,
  trackChanges,
  takeChanges,
  markChanged,
  analyze,
  guardCommits,
  recordEvents,
  takeEvents,
  limit,
  config,
  defineFunction,
  defineCollation,
  blobOpen,
  blobRead,
  blobWrite,
  blobClose,
  deserialize,
  copyInto,
  usePrefixes,
  setGuard,
  prepare,
  finalize,
  columns,
  reset,
  bind,
  rows,
  runMany,
  runPoints,
  version,
} = addon;

function attach(database) {
  database.loadExtension(path);
  const token = lastToken();
  if (token === null) throw new Error("The engine did not load the extension in this thread");
  return token;
}

/** The guards' statements by database. A statement keeps its database alive, so it must not outlive it. */
const guards = new WeakMap();

function guard(database, token, on) {
  if (!on) {
    setGuard(token, null);
    return;
  }
  guards.set(database, database.prepare("SELECT sqlite_aio_guard()").pluck());
  // The handle keeps this function. The function must not keep the database, which is closed by garbage collection.
  const reference = new WeakRef(database);
  setGuard(token, () => guards.get(reference.deref()).get());
}

module.exports = {
  path,
  version,
  capabilities,
  attach,
  guard,
  lastToken,
  interrupt,
  undoInterrupted,
  environment,
  stopWith,
  setAuthorizer,
  trackChanges,
  takeChanges,
  markChanged,
  analyze,
  guardCommits,
  recordEvents,
  takeEvents,
  limit,
  config,
  defineFunction,
  defineCollation,
  blobOpen,
  blobRead,
  blobWrite,
  blobClose,
  deserialize,
  copyInto,
  usePrefixes,
  prepare,
  finalize,
  columns,
  reset,
  bind,
  rows,
  runMany,
  runPoints,
};
