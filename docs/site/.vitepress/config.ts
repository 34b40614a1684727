import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type DefaultTheme, defineConfig } from "vitepress";
import { content, output, sidebar } from "../pages.ts";

const reference = JSON.parse(
  readFileSync(join(content, "api/typedoc-sidebar.json"), "utf8"),
) as DefaultTheme.SidebarItem[];

export default defineConfig({
  title: "sqlite-aio",
  description: "Async SQLite for Node and Electron",
  srcDir: content,
  outDir: output,
  lang: "en",
  // Nothing is loaded from elsewhere, and nobody is told who reads.
  themeConfig: {
    search: { provider: "local" },
    outline: [2, 3],
    sidebar: [
      { text: "sqlite-aio", link: "/" },
      ...sidebar(),
      { text: "API reference", link: "/api/", items: reference },
      { text: "Security", link: "/SECURITY" },
      { text: "Contributing", link: "/CONTRIBUTING" },
      { text: "Changelog", link: "/CHANGELOG" },
    ],
  },
});
