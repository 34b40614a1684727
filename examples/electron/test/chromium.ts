import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The path of Chromium; if there is none, installs Debian's. */
export async function findChromium(): Promise<string> {
  const named = process.env["CHROMIUM_BIN"];
  if (named !== undefined) return named;
  const found = look();
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0 || which("apt-get") === undefined) {
    throw new Error(
      "These tests need a Chromium: install the package chromium (Debian) or Google Chrome, " +
        "or name its binary by CHROMIUM_BIN",
    );
  }
  await run("apt-get", ["update", "-qq"]);
  const packages = ["chromium", "fonts-liberation"];
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], { env });
  const installed = look();
  if (installed === undefined) throw new Error("apt-get has installed chromium, but there is none in PATH");
  return installed;
}

function look(): string | undefined {
  return ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].map(which).find(Boolean);
}

function which(name: string): string | undefined {
  const paths = (process.env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, name));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
