import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { install } from "./install.ts";
import { layOut, output, site } from "./pages.ts";

/** Builds the site into `dist`. Throws the tools' messages, such as an export without a comment or a missing page. */
export function build(): void {
  install();
  layOut();
  run("typedoc", "--options", "typedoc.json");
  run("vitepress", "build", ".");
}

function run(tool: string, ...args: string[]): void {
  const { status, stdout, stderr } = spawnSync(join(site, "node_modules/.bin", tool), args, {
    cwd: site,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`${tool} failed:\n${stdout}${stderr}`);
}

if (import.meta.main) {
  build();
  console.log(`built: ${join(output, "index.html")}`);
}
