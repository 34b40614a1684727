import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type DefaultTheme, defineConfig } from "vitepress";
import { content, output, root, sidebar } from "../pages.ts";

const reference = JSON.parse(
  readFileSync(join(content, "api/typedoc-sidebar.json"), "utf8"),
) as DefaultTheme.SidebarItem[];

const { version, homepage } = JSON.parse(readFileSync(join(root, "packages/core/package.json"), "utf8")) as {
  version: string;
  homepage: string;
};
const repository = homepage.replace(/#.*$/, "");

export default defineConfig({
  title: "sqlite-aio",
  description: "Async SQLite for Node and Electron",
  srcDir: content,
  outDir: output,
  lang: "en",
  // Nothing is loaded from other sites, so none learns of the readers.
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    nav: [
      { text: "Overview", link: "/overview" },
      { text: "Recipes", link: "/docs/recipes" },
      { text: "API", link: "/api/" },
      {
        text: version,
        items: [
          { text: "Changelog", link: "/CHANGELOG" },
          { text: "Security", link: "/SECURITY" },
          { text: "Contributing", link: "/CONTRIBUTING" },
          { text: "npm", link: "https://www.npmjs.com/package/@sqlite-aio/core" },
          { text: "Issues", link: `${repository}/issues` },
        ],
      },
    ],
    socialLinks: [{ icon: "github", link: repository }],
    sidebar: [
      { text: "Overview", link: "/overview" },
      ...sidebar(),
      { text: "API reference", link: "/api/", items: reference },
      { text: "Security", link: "/SECURITY" },
      { text: "Contributing", link: "/CONTRIBUTING" },
      { text: "Changelog", link: "/CHANGELOG" },
    ],
  },
});
