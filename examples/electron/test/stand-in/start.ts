// Runs an app's main process by Node, with `electron` taken from here: `node start.ts main.js --switch=value`.
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const standIn = new URL("electron.ts", import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "electron") return { url: standIn, shortCircuit: true };
    // The fakes tidy up after a test; here the process ends.
    if (specifier === "vitest") {
      return { url: "data:text/javascript,export const onTestFinished = () => {};", shortCircuit: true };
    }
    return next(specifier, context);
  },
});

const { app } = await import("./electron.ts");
// As in Electron: the app gets ready when its main module has been run, so that this must not wait for it.
await import(pathToFileURL(process.argv[2] ?? "").href);
app.becomeReady();
