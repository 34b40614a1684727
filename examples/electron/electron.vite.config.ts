import { defineConfig } from "electron-vite";
import type { Plugin } from "vite";

/**
 * The page may load only files of the app. Not during development: Vite's own client adds styles and opens a socket.
 */
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
  // By default its dependencies stay in node_modules.
  main: {},
  preload: {
    build: {
      // A sandboxed preload script is one CommonJS file. It can require only Electron.
      externalizeDeps: false,
      rolldownOptions: { output: { format: "cjs", entryFileNames: "[name].cjs" } },
    },
  },
  renderer: { plugins: [contentSecurityPolicy] },
});
