import { expect, test } from "vitest";
import { loadExtension } from "../../dist/engine/load-extension.js";

const PATH = "C:\\lib\\vec0.dll";

/** A handle that says what SQLite does. */
function refusing(message: string, code?: string): { loadExtension(): never } {
  return {
    loadExtension() {
      throw Object.assign(new Error(message), { code });
    },
  };
}

function thrownBy(db: { loadExtension(): never }, entryPoint: string | null = null): unknown {
  try {
    loadExtension(db, PATH, entryPoint);
  } catch (error) {
    return error;
  }
  return undefined;
}

test("the words of Windows, which name nothing and end in a line break, get the file that they are about", () => {
  const db = refusing("The specified module could not be found.\r\n", "SQLITE_ERROR");
  expect(thrownBy(db)).toMatchObject({
    code: "SQLITE_ERROR",
    message: "the extension C:\\lib\\vec0.dll does not load: The specified module could not be found.",
  });
});

test("and the entry point, if one was asked for", () => {
  const db = refusing("The specified procedure could not be found.\r\n", "SQLITE_ERROR");
  expect(thrownBy(db, "sqlite3_vec_init")).toMatchObject({
    message:
      "the extension C:\\lib\\vec0.dll, entry point sqlite3_vec_init does not load: The specified procedure could not be found.",
  });
});

test("an error that names both already is thrown as it is", () => {
  const db = refusing(`${PATH}: undefined symbol: entry`, "SQLITE_ERROR");
  expect(thrownBy(db, "entry")).toMatchObject({ message: `${PATH}: undefined symbol: entry` });
});

test("an error that is not SQLite's is thrown as it is", () => {
  expect(thrownBy(refusing("This database connection is busy"))).toMatchObject({
    message: "This database connection is busy",
  });
});

test("a path that SQLite has tried with two suffixes is tried without, which tells what is wrong with the file", () => {
  const tried: [string, string | undefined][] = [];
  const db = {
    loadExtension(path: string, entryPoint?: string): never {
      tried.push([path, entryPoint]);
      const file = `${path}.so`;
      const why = path.endsWith(".so") ? "No such file or directory" : "file too short";
      throw Object.assign(new Error(`${file}: ${why}`), { code: "SQLITE_ERROR" });
    },
  };
  expect(() => loadExtension(db, "/lib/vec0.so", null)).toThrow("/lib/vec0.so: file too short");
  expect(() => loadExtension(db, "/lib/vec0", null)).toThrow("/lib/vec0.so: file too short");
  expect(() => loadExtension(db, "/lib/vec0.so", "entry")).toThrow(
    "the extension /lib/vec0.so, entry point entry does not load: /lib/vec0.so: file too short",
  );
  expect(tried).toEqual([
    ["/lib/vec0.so", undefined],
    ["/lib/vec0", undefined],
    ["/lib/vec0", undefined],
    ["/lib/vec0.so", "entry"],
    ["/lib/vec0", "entry"],
  ]);
});

test("an extension that has begun, and failed, is not tried again", () => {
  const tried: string[] = [];
  const db = {
    loadExtension(path: string): never {
      tried.push(path);
      throw Object.assign(new Error("error during initialization: no licence"), { code: "SQLITE_ERROR" });
    },
  };
  expect(() => loadExtension(db, "/lib/vec0.so", null)).toThrow("no licence");
  expect(tried).toEqual(["/lib/vec0.so"]);
});
