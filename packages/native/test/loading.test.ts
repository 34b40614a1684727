import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { codeOf, Database, native, open, removeUnlessLoaded } from "./engine.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);

/** A copy of the package without binaries, in `name` below a temporary folder. */
function packageCopy(name = "native"): string {
  const folder = mkdtempSync(join(tmpdir(), "sqlite-aio-native-"));
  onTestFinished(() => removeUnlessLoaded(folder));
  const copy = join(folder, name);
  mkdirSync(copy, { recursive: true });
  copyFileSync(join(root, "index.cjs"), join(copy, "index.cjs"));
  return copy;
}

function put(binary: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(binary, target);
}

const load = (folder: string) => require(join(folder, "index.cjs")) as typeof native;

test("the package tells its version and what it can do", () => {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  expect(native.version).toBe(version);
  expect(native.capabilities).toEqual({
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
  expect(native.path).toBe(join(root, "build", "sqlite-aio.node"));
});

test("an import gives the names that a require gives", () => {
  const script = `console.log(Object.keys(await import(${JSON.stringify(pathToFileURL(join(root, "index.cjs")))})).join())`;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
  });
  expect(output.trim().split(",")).toEqual(expect.arrayContaining(Object.keys(native)));
});

test("without a binary for the system it throws an error with a code that says so", () => {
  const copy = packageCopy();
  expect(() => load(copy)).toThrow(
    expect.objectContaining({
      code: "ERR_SQLITE_AIO_NATIVE_MISSING",
      message: expect.stringMatching(
        `no .*prebuilds.*sqlite-aio\\.node for ${process.platform}-${process.arch}.*: install the package again`,
      ) as string,
    }),
  );
});

test("on a system that there is no binary for it says for which there are, and how one is made", () => {
  const script = `
    Object.defineProperty(process, "arch", { value: "riscv64" });
    try { require(${JSON.stringify(join(packageCopy(), "index.cjs"))}) } catch (error) { console.log(error.message) }
  `;
  const output = execFileSync(process.execPath, ["--eval", script], { encoding: "utf8" });
  expect(output).toMatch(
    new RegExp(
      `for ${process.platform}-riscv64.*: it is published for linux-x64, linux-arm64, darwin-x64, .*\`pnpm build\` in a clone`,
    ),
  );
});

test("a binary that does not load throws the same code, with the reason as its cause", () => {
  const copy = packageCopy();
  mkdirSync(join(copy, "build"));
  writeFileSync(join(copy, "build", "sqlite-aio.node"), "no library");
  expect(() => load(copy)).toThrow(
    expect.objectContaining({
      code: "ERR_SQLITE_AIO_NATIVE_MISSING",
      message: expect.stringMatching(
        `sqlite-aio\\.node does not load on ${process.platform}-${process.arch} \\(.+\\)`,
      ) as string,
      cause: expect.objectContaining({ code: "ERR_DLOPEN_FAILED" }) as Error,
    }),
  );
});

test("the prebuilt binary of the platform is used when none was built here", () => {
  const copy = packageCopy();
  const report = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const musl = process.platform === "linux" && report.header.glibcVersionRuntime === undefined ? "-musl" : "";
  const target = join(copy, "prebuilds", `${process.platform}-${process.arch}${musl}`, "sqlite-aio.node");
  put(native.path, target);
  expect(load(copy).path).toBe(target);
});

test("which C library there is is read from Node's own file, without a report of the process", () => {
  const copy = packageCopy();
  const getReport = vi.spyOn(process.report, "getReport");
  const { execPath } = process;
  onTestFinished(() => {
    process.execPath = execPath;
    getReport.mockRestore();
  });
  expect(() => load(copy)).toThrow(process.platform);
  expect(getReport).not.toHaveBeenCalled();

  // If Node's binary cannot be read, the report is used.
  process.execPath = join(copy, "missing");
  expect(() => load(packageCopy())).toThrow(process.platform);
  expect(getReport).toHaveBeenCalledTimes(process.platform === "linux" ? 1 : 0);
});

test("inside an asar archive it names the unpacked file beside it", () => {
  const copy = packageCopy(join("app.asar", "node_modules", "native"));
  put(native.path, join(copy, "build", "sqlite-aio.node"));
  const unpacked = copy.replace("app.asar", "app.asar.unpacked");
  cpSync(copy, unpacked, { recursive: true });
  expect(load(copy).path).toBe(join(unpacked, "build", "sqlite-aio.node"));
  expect(load(unpacked).path).toBe(join(unpacked, "build", "sqlite-aio.node"));
});

test("two copies of the binary in one process keep their handles apart", () => {
  const copy = packageCopy();
  put(native.path, join(copy, "build", "sqlite-aio.node"));
  const second = load(copy);
  const db = new Database(":memory:");
  const tokens = [native.attach(db), second.attach(db)] as const;
  native.setAuthorizer(tokens[0], () => 0);
  second.trackChanges(tokens[1], true);
  db.exec("create table t (a); insert into t values (1)");
  expect(second.takeChanges(tokens[1])).toEqual([{ database: "main", table: "t", rowids: [1n] }]);
  db.close();
  expect([native.interrupt(tokens[0]), second.interrupt(tokens[1])]).toEqual([false, false]);
});

test("the binary is small, exports its three entry points and needs nothing but the system", () => {
  const output = execFileSync(process.execPath, [join(root, "scripts", "check-prebuilds.mjs"), "--host"], {
    encoding: "utf8",
  });
  expect(output).toMatch(new RegExp(`^${process.platform}-${process.arch} +\\d+ bytes`));
  if (process.platform === "linux") expect(output).toMatch(/ bytes {2}(?:musl|glibc 2\.\d+) .*\blibc\./);
});

test("a name that is no target is refused before anything is built or checked", () => {
  for (const script of ["check-prebuilds.mjs", "prebuild.mjs"]) {
    const { status, stderr } = spawnSync(process.execPath, [join(root, "scripts", script), "linux-arm46"], {
      encoding: "utf8",
    });
    expect([script, status]).toEqual([script, 1]);
    expect(stderr).toContain(
      "RangeError: no target is called linux-arm46: there are linux-x64, linux-arm64,",
    );
  }
});

test("the token of a handle that is gone is never another's", () => {
  const gone = open();
  gone.db.close();
  using next = open();
  expect(next.token).not.toBe(gone.token);
  expect(codeOf(() => native.prepare(gone.token, "select 1"))).toBe("ERR_SQLITE_AIO_NATIVE_CLOSED");
  expect(native.prepare(next.token, "select 1")).not.toBeNull();
});
