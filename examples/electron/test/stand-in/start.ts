// Runs an app's main process in Node, with this folder's `electron`: `node start.ts main.js --switch=value`.
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const standIn = new URL("electron.ts", import.meta.url).href;

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === "electron") return { url: standIn, shortCircuit: true };
    // The fakes clean up after each test. Here the process ends instead.
    if (specifier === "vitest") {
      return { url: "data:text/javascript,export const onTestFinished = () => {};", shortCircuit: true };
    }
    return next(specifier, context);
  },
});

const { app } = await import("./electron.ts");
// As in Electron, the app becomes ready after its main module has run, so the module must not wait for it.
await import(pathToFileURL(process.argv[2] ?? "").href);
app.becomeReady();
