import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LinkChecker, LinkState } from "linkinator";
import { describe, expect, it, onTestFinished } from "vitest";
import { output, root, site } from "../pages.ts";

const pages = globSync("**/*.html", { cwd: output });

/** The links in a folder of pages, sound and broken: to pages, to files, and to places on a page. */
async function linksOf(folder: string): Promise<{ readonly broken: string[]; readonly sound: string[] }> {
  const { links } = await new LinkChecker().check({
    path: folder,
    recurse: true,
    // The server runs in this process: on a busy machine it could not answer a hundred requests at once in time.
    concurrency: 10,
    checkFragments: true,
    checkCss: true,
    // Links to other sites are not checked: no network is needed.
    linksToSkip: async (link) => !isHere(link),
  });
  const named = (wanted: LinkState): string[] => {
    const urls: string[] = links.filter(({ state }) => state === wanted).map(({ url }) => decodeURI(url));
    const paths = new Set(urls.map((url) => url.replace(/^http:\/\/[^/]+/, "").replace(folder, "")));
    return [...paths].toSorted();
  };
  return { broken: named(LinkState.BROKEN), sound: named(LinkState.OK) };
}

function isHere(link: string): boolean {
  return ["localhost", "127.0.0.1", "[::1]"].includes(new URL(link).hostname);
}

describe("the built site", () => {
  it("has the README, every document and every entry point of the package", () => {
    const documents = globSync("docs/*.md", { cwd: root }).map((file) => file.replace(/\.md$/, ".html"));
    const { exports } = JSON.parse(readFileSync(join(root, "packages/core/package.json"), "utf8")) as {
      exports: Record<string, unknown>;
    };
    const entries = Object.keys(exports)
      .filter((entry) => entry !== "./package.json")
      .map((entry) => join("api/@sqlite-aio/core", entry, "index.html"));
    expect(documents.length).toBeGreaterThan(10);
    expect(pages).toEqual(expect.arrayContaining(["index.html", "overview.html", ...documents, ...entries]));
    expect(readFileSync(join(output, "overview.html"), "utf8")).toContain("Async SQLite for Node");
  });

  it("begins with a page that has the README's first program, the version and the repository", () => {
    const home = readFileSync(join(output, "index.html"), "utf8");
    const { version, homepage } = JSON.parse(
      readFileSync(join(root, "packages/core/package.json"), "utf8"),
    ) as { version: string; homepage: string };
    const text = home.replace(/<[^>]*>/g, "");
    expect(text).toContain("npm install @sqlite-aio/core");
    expect(text).toContain("await createPool(&quot;shop.db&quot;)");
    expect(text).toContain(version);
    expect(home).toContain(`href="${homepage.replace(/#.*$/, "")}"`);
  });

  it("has no link to a page, a picture or a heading that is not there, and no page without a link", async () => {
    const { broken, sound } = await linksOf(output);
    expect(broken).toEqual([]);
    const linked = new Set(sound.map((link) => link.slice(1)));
    const wanted = pages.filter((page) => page !== "404.html");
    expect(
      wanted.filter((page) => !linked.has(page) && !linked.has(page.replace(/index\.html$/, ""))),
    ).toEqual([]);
  });

  it("loads nothing from elsewhere", () => {
    const loaded = /<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="((?:https?:)?\/\/[^"]*)"/g;
    const foreign = pages.flatMap((page) =>
      [...readFileSync(join(output, page), "utf8").matchAll(loaded)].map(([, url]) => `${page}: ${url}`),
    );
    expect(foreign).toEqual([]);
    const sheets = globSync("assets/*.css", { cwd: output });
    expect(sheets.length).toBeGreaterThan(0);
    for (const sheet of sheets) {
      const text = readFileSync(join(output, sheet), "utf8");
      expect(text, sheet).not.toMatch(/(?:url\(|@import\s)["']?(?:https?:)?\/\//);
    }
  });

  it("can be searched without a server", () => {
    const [index = ""] = globSync("assets/chunks/@localSearchIndex*.js", { cwd: output });
    expect(readFileSync(join(output, index), "utf8")).toContain("Cancelling a call");
  });
});

describe("what makes the site", () => {
  it("has types that fit", () => {
    const tsc = join(root, "node_modules/.bin/tsc");
    expect(spawnSync(tsc, ["-p", site], { encoding: "utf8" })).toMatchObject({ status: 0, stdout: "" });
  });
});

describe("the check of links", () => {
  it("finds links to missing pages, pictures and headings, and no others", async () => {
    const folder = await mkdtemp(join(tmpdir(), "sqlite-aio-links-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await mkdir(join(folder, "sub"));
    await writeFile(join(folder, "there.svg"), "<svg/>");
    await writeFile(
      join(folder, "index.html"),
      '<h1 id="top"></h1><a href="#top"></a><a href="/sub/page.html#here"></a><a href="https://example.com/x#y"></a>' +
        '<img src="there.svg"><img src="/gone.svg"><a href="gone.html"></a><a href="/sub/page.html#gone"></a>',
    );
    await writeFile(
      join(folder, "sub/page.html"),
      '<p id="here"></p><a href="../index.html#nowhere"></a><a href="/"></a>',
    );
    const { broken, sound } = await linksOf(folder);
    expect(broken).toEqual(["/gone.html", "/gone.svg", "/index.html#nowhere", "/sub/page.html#gone"]);
    expect(sound).toEqual(expect.arrayContaining(["/sub/page.html", "/there.svg"]));
  });
});
