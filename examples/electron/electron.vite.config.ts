import { defineConfig } from "electron-vite";
import type { Plugin } from "vite";

/** Nothing but what the app brings along. Not while developing: Vite's own client adds styles, and opens a socket. */
const contentSecurityPolicy: Plugin = {
  name: "content-security-policy",
  apply: "build",
  transformIndexHtml: () => [
    {
      tag: "meta",
      injectTo: "head-prepend",
      attrs: {
        "http-equiv": "Content-Security-Policy",
        content:
          "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; form-action 'none'",
      },
    },
  ],
};

export default defineConfig({
  // Its dependencies stay in node_modules, which is the default.
  main: {},
  preload: {
    build: {
      // A sandboxed preload script is one CommonJS file that can require nothing but Electron.
      externalizeDeps: false,
      rolldownOptions: { output: { format: "cjs", entryFileNames: "[name].cjs" } },
    },
  },
  renderer: { plugins: [contentSecurityPolicy] },
});
