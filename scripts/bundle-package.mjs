// Bundles the compiled modules of a package for Node and TypeScript. Each entry becomes a CommonJS file with the code,
// an ESM file that exports the same, and the types of both. Bundlers take the modules themselves (the condition
// "module"), so that they can leave out what a program does not use.
import { execFileSync } from "node:child_process";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { dts } from "rolldown-plugin-dts";

const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));

/**
 * @param {string} folder of the package
 * @param {Record<string, string>} entries module below `dist` by the name of the entry
 * @param {{ inline?: RegExp, live?: Record<string, { names: readonly string[], follow: string }>, both?: string[],
 *   esmOnly?: string[], stripInternal?: boolean }} [options] `inline`: packages that become part of the bundle; `live`:
 *   per entry, exports that change while the program runs; `both`: entries that are also bundled for ESM; `esmOnly`:
 *   packages whose types a CommonJS file may import only with a resolution mode, and that an ESM file imports first;
 *   `stripInternal`: leaves internal names out of the types
 */
export async function bundlePackage(
  folder,
  entries,
  { inline, live = {}, both = [], esmOnly = [], stripInternal = false } = {},
) {
  const dist = join(folder, "dist");
  // Not beside the code: Turbopack would take the types for a part of the program, and fail.
  const types = join(dist, "types");
  const external = (id) => !/^[./]/.test(id) && inline?.test(id) !== true;
  for (const made of ["chunks", "types"]) await rm(join(dist, made), { recursive: true, force: true });
  const code = await rolldown({ input: modules(dist, entries, ".js"), platform: "node", external });
  const { output } = await code.write({
    dir: dist,
    format: "cjs",
    entryFileNames: "[name].cjs",
    chunkFileNames: "chunks/[name].cjs",
    comments: { legal: true, annotation: false, jsdoc: false },
    sourcemap: true,
  });
  await code.close();
  await writeTypes(folder, { dist, types }, entries, external, stripInternal);
  await bundleForEsm(dist, entries, both, external);
  for (const { name, exports: exported } of output.filter((file) => file.type === "chunk" && file.isEntry)) {
    if (both.includes(name)) {
      await copyFile(join(types, `${name}.d.cts`), join(types, `${name}.d.mts`));
      continue;
    }
    const first = esmOnly.filter((id) => importsOf(name, output).has(id));
    await writeFile(join(dist, `${name}.mjs`), importing(first) + wrapper(name, exported, live[name]));
    const text = await readFile(join(types, `${name}.d.cts`), "utf8");
    // Query builders have different declarations for ESM and for CommonJS. Everything else is declared once.
    const ofOthers = /from "(?!\.|node:|@sqlite-aio\/)/.test(text);
    await writeFile(join(types, `${name}.d.mts`), ofOthers ? text : `export * from "./${name}.cjs";\n`);
    if (ofOthers) await writeFile(join(types, `${name}.d.cts`), asImported(text, esmOnly));
  }
}

/** Changes declarations for CommonJS so that they take the types of the given packages as `import` would. */
function asImported(types, names) {
  const imports = new RegExp(`^import (\\{.*\\}) from "(${names.join("|")})";$`, "gm");
  return types.replace(imports, 'import type $1 from "$2" with { "resolution-mode": "import" };');
}

/**
 * Bundles entries for ESM that extend classes of a package with two copies, one for `import` and one for `require`. The
 * error classes still exist once.
 */
async function bundleForEsm(dist, entries, both, external) {
  if (both.length === 0) return;
  const chosen = Object.fromEntries(both.map((name) => [name, entries[name]]));
  const errors = {
    name: "errors-of-the-index",
    resolveId: (id) => (id.endsWith("/errors/errors.js") ? { id: "./index.mjs", external: true } : null),
  };
  const code = await rolldown({
    input: modules(dist, chosen, ".js"),
    platform: "node",
    external,
    plugins: [errors],
  });
  await code.write({
    dir: dist,
    format: "es",
    entryFileNames: "[name].mjs",
    chunkFileNames: "chunks/[name].mjs",
  });
  await code.close();
}

/** Writes one file of declarations per entry. */
async function writeTypes(folder, { dist, types }, entries, external, stripInternal) {
  const compiled = stripInternal ? await mkdtemp(join(dist, ".types-")) : dist;
  try {
    if (stripInternal) {
      const flags = ["--stripInternal", "--emitDeclarationOnly", "--declarationMap", "false"];
      const alone = ["--composite", "false", "--incremental", "false", "--tsBuildInfoFile", "null"];
      const project = ["-p", join(folder, "tsconfig.json"), "--outDir", compiled];
      execFileSync(process.execPath, [tsc, ...project, ...flags, ...alone], { stdio: "inherit" });
    }
    const declarations = await rolldown({
      input: modules(compiled, entries, ".d.ts"),
      external,
      plugins: [
        dts({ dtsOnly: true, generator: "oxc", sourcemap: false, tsconfig: join(folder, "tsconfig.json") }),
      ],
    });
    await declarations.write({
      dir: types,
      format: "es",
      entryFileNames: "[name].d.cts",
      chunkFileNames: "chunks/[name].d.cts",
    });
    await declarations.close();
  } finally {
    if (stripInternal) await rm(compiled, { recursive: true });
  }
}

function modules(base, entries, ending) {
  return Object.fromEntries(
    Object.entries(entries).map(([name, module]) => [name, join(base, `${module}${ending}`)]),
  );
}

/** What an entry imports, by itself or by the chunks that it shares with other entries. */
function importsOf(entry, output) {
  const found = new Set([`${entry}.cjs`]);
  for (const file of found)
    for (const id of output.find(({ fileName }) => fileName === file)?.imports ?? []) found.add(id);
  return found;
}

/**
 * Imports of the ES modules that the CommonJS file behind a wrapper requires. Node 22.14 does not require an ES module that
 * the program imports later (ERR_REQUIRE_CYCLE_MODULE), so the wrapper imports it first.
 */
function importing(names) {
  return names.map((name) => `import "${name}";\n`).join("");
}

/** An ESM file that exports what the CommonJS file exports. All tools can see names that are written out. */
function wrapper(name, exported, live = { names: [], follow: "" }) {
  const { names, follow } = live;
  const constant = exported.filter((one) => !names.includes(one) && one !== follow).toSorted();
  const lines = [`export { ${constant.join(", ")} } from "./${name}.cjs";`];
  if (names.length > 0) {
    lines.push(
      `import implementation from "./${name}.cjs";`,
      `export let { ${names.join(", ")} } = implementation;`,
      `implementation.${follow}(() => ({ ${names.join(", ")} } = implementation));`,
    );
  }
  return `${lines.join("\n")}\n`;
}
