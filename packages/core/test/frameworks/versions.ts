/** What is tried, and what docs/bundlers.md says was tried. */
export const versions = {
  "@vercel/nft": "1.11.5",
  nitropack: "2.13.6",
  next: "16.4.6",
  react: "19.3.1",
  "react-dom": "19.3.1",
  jest: "30.5.2",
  "@types/jest": "30.0.0",
  "@babel/core": "8.1.3",
  "@babel/preset-env": "8.0.7",
  "ts-jest": "29.4.15",
  typescript: "5.9.3",
  mocha: "12.0.3",
} as const;

/** The oldest Node that is promised; from npm, where Node itself is a package. */
export const oldestNode = "22.14.0";
