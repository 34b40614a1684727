/** The tested versions, which docs/bundlers.md and docs/frameworks.md also name. */
export const runners = {
  jest: "30.5.2",
  "@types/jest": "30.0.0",
  "@babel/core": "8.1.3",
  "@babel/preset-env": "8.0.7",
  "ts-jest": "29.4.15",
  typescript: "5.9.3",
  mocha: "12.0.3",
} as const;

/** The oldest supported Node; from npm, where Node itself is a package. */
export const oldestNode = "22.14.0";

/** Their entries in core are part of what is traced. */
const builders = { kysely: "0.29.9", "drizzle-orm": "0.45.4" } as const;

export const traced = { "@vercel/nft": "1.11.5", nitropack: "2.13.6", ...builders } as const;

export const next = { next: "16.4.6", react: "19.3.1", "react-dom": "19.3.1", ...builders } as const;

export const sveltekit = {
  "@sveltejs/kit": "3.2.0",
  "@sveltejs/adapter-node": "6.0.1",
  "@sveltejs/vite-plugin-svelte": "7.3.1",
  svelte: "5.57.3",
  vite: "8.3.8",
} as const;

export const nest = {
  "@nestjs/common": "12.5.1",
  "@nestjs/core": "12.5.1",
  "@nestjs/platform-express": "12.5.1",
  "reflect-metadata": "0.2.2",
  rxjs: "7.8.2",
  typescript: "5.9.3",
  "@types/node": "24",
} as const;
