import { basename, sep } from "node:path";

/** What a thread inherits of the flags that the process was started with. */
export interface ThreadFlags {
  readonly execArgv: string[];
  readonly env: NodeJS.ProcessEnv;
}

/** How modules are found, loaded and reported: a setup module, a SQL function's or an engine may need it. */
const KEPT = new Set([
  "--conditions",
  "-C",
  "--cpu-prof",
  "--cpu-prof-dir",
  "--cpu-prof-interval",
  "--cpu-prof-name",
  "--disable-warning",
  "--enable-source-maps",
  "--experimental-loader",
  "--loader",
  "--experimental-require-module",
  "--no-experimental-require-module",
  "--experimental-strip-types",
  "--no-experimental-strip-types",
  "--strip-types",
  "--no-strip-types",
  "--experimental-transform-types",
  "--experimental-wasm-modules",
  "--no-deprecation",
  "--no-warnings",
  "--preserve-symlinks",
  "--throw-deprecation",
  "--trace-deprecation",
  "--trace-uncaught",
  "--trace-warnings",
]);

/** What runs before the program, in each thread again. */
const PRELOADS = new Set(["--import", "--require", "-r"]);

/** Flags whose value may be the next argument. */
const WITH_VALUE = new Set([
  ...PRELOADS,
  "--conditions",
  "-C",
  "--cpu-prof-dir",
  "--cpu-prof-interval",
  "--cpu-prof-name",
  "--disable-warning",
  "--experimental-loader",
  "--loader",
  // Not kept; but their values are no flags.
  "--eval",
  "-e",
  "--print",
  "-p",
  "-pe",
  "--input-type",
]);

/**
 * The flags for a thread. Left alone, a thread takes over all of them: `--input-type` keeps it from starting, and what
 * `--import` and `--require` name runs in it once more, opens its databases once more, and so on. Of those a thread gets what
 * packages have (tsx, ts-node), not the program's own files; `nested` is a thread of ours that starts another, which gets
 * none.
 */
export function threadFlags(
  process: {
    readonly execArgv: readonly string[];
    readonly env: NodeJS.ProcessEnv;
  },
  nested: boolean,
): ThreadFlags {
  const { NODE_OPTIONS, ...env } = process.env;
  const given = [...splitOptions(NODE_OPTIONS ?? ""), ...process.execArgv];
  const execArgv: string[] = [];
  for (let at = 0; at < given.length; at++) {
    const flag = given[at]!;
    const equals = flag.startsWith("--") ? flag.indexOf("=") : -1;
    const name = (equals < 0 ? flag : flag.slice(0, equals)).replaceAll("_", "-");
    const takesNext = equals < 0 && WITH_VALUE.has(name);
    const value = equals >= 0 ? flag.slice(equals + 1) : takesNext ? given[at + 1] : undefined;
    if (takesNext) at++;
    const wanted = PRELOADS.has(name) ? !nested && value !== undefined && isPackage(value) : KEPT.has(name);
    if (wanted) execArgv.push(...(takesNext && value !== undefined ? [flag, value] : [flag]));
  }
  return { execArgv, env };
}

/** A package by its name, one that is installed, or Yarn's way of finding them. */
function isPackage(specifier: string): boolean {
  if (specifier.split(/[\\/]/).includes("node_modules")) return true;
  if (/^\.pnp\.(?:cjs|js|loader\.mjs)$/.test(basename(specifier))) return true;
  return !/^(?:\.|\/|file:|data:|[A-Za-z]:)/.test(specifier) && !specifier.startsWith(sep);
}

/** As Node splits NODE_OPTIONS: at blanks, but for those in double quotes, in which `\` escapes. */
function splitOptions(options: string): string[] {
  const found: string[] = [];
  let word: string | null = null;
  let quoted = false;
  for (let at = 0; at < options.length; at++) {
    let char = options[at]!;
    if (quoted && char === "\\" && at + 1 < options.length) char = options[++at]!;
    else if (char === " " && !quoted) {
      if (word !== null) found.push(word);
      word = null;
      continue;
    } else if (char === '"') {
      quoted = !quoted;
      word ??= "";
      continue;
    }
    word = (word ?? "") + char;
  }
  if (word !== null) found.push(word);
  return found;
}
