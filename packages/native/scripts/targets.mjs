// The systems for which there are prebuilt binaries: the folder in prebuilds/ and zig's name.
export const targets = {
  "linux-x64": "x86_64-linux-gnu.2.17",
  "linux-arm64": "aarch64-linux-gnu.2.17",
  "linux-x64-musl": "x86_64-linux-musl",
  "linux-arm64-musl": "aarch64-linux-musl",
  "darwin-x64": "x86_64-macos.11.0",
  "darwin-arm64": "aarch64-macos.11.0",
  "win32-x64": "x86_64-windows-gnu",
  "win32-arm64": "aarch64-windows-gnu",
};

/** The targets named on a command line; all if there are none. Throws for an unknown name. */
export function namedTargets(names) {
  const all = Object.keys(targets);
  const unknown = names.find((name) => !all.includes(name));
  if (unknown !== undefined)
    throw new RangeError(`no target is called ${unknown}: there are ${all.join(", ")}`);
  return names.length === 0 ? all : all.filter((target) => names.includes(target));
}
