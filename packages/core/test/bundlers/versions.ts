/** The tested versions, which docs/bundlers.md also names. */
export const versions = {
  esbuild: "0.28.2",
  rollup: "4.68.7",
  "@rollup/plugin-node-resolve": "16.0.3",
  "@rollup/plugin-commonjs": "29.0.3",
  rolldown: "1.3.2",
  vite: "8.3.8",
  webpack: "5.112.2",
  "webpack-cli": "7.3.1",
  "electron-vite": "6.0.0",
  electron: "45.4.1",
  vitest: "5.1.1",
  typescript: "7.0.2",
  postject: "1.0.0-alpha.6",
} as const;
