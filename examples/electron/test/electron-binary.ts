/** The Electron that runs the whole app. */
export function findElectron(): string {
  const binary = process.env["ELECTRON_BIN"];
  if (binary === undefined || binary === "") {
    throw new Error(
      "The whole app needs an Electron of version 35 or later: ELECTRON_BIN=/path/to/electron pnpm test:electron",
    );
  }
  return binary;
}

if (import.meta.main) {
  try {
    findElectron();
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
