import { basename, sep } from "node:path";

/** The process's flags that a thread inherits. */
export interface ThreadFlags {
  readonly execArgv: string[];
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Flags about finding, loading and reporting modules. Setup modules, modules of SQL functions, and engines may need
 * them.
 */
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

/** Flags for modules that run before the program, and again in each thread. */
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
  // These are not inherited, but their values must not be taken for flags.
  "--eval",
  "-e",
  "--print",
  "-p",
  "-pe",
  "--input-type",
]);

/**
 * The flags for a thread. By default a thread inherits all flags. Then `--input-type` keeps it from starting, and a
 * program's own file in `--import` or `--require` runs again in it and opens its databases again. So a thread inherits
 * only preloads from packages (tsx, ts-node). With `nested`, when one of our threads starts another, it inherits none.
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

/** Whether it is a package name, a path in node_modules, or Yarn's Plug'n'Play file. */
function isPackage(specifier: string): boolean {
  if (specifier.split(/[\\/]/).includes("node_modules")) return true;
  if (/^\.pnp\.(?:cjs|js|loader\.mjs)$/.test(basename(specifier))) return true;
  return !/^(?:\.|\/|file:|data:|[A-Za-z]:)/.test(specifier) && !specifier.startsWith(sep);
}

/** Splits NODE_OPTIONS as Node does: at spaces outside double quotes, where `\` escapes. */
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
