import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { landing } from "./landing.ts";

export const site = import.meta.dirname;
export const root = join(site, "../..");
/**
 * The folder from which VitePress builds: the documents at the same paths as in the repository, so that their links
 * hold.
 */
export const content = join(site, ".content");
export const output = join(site, "dist");

/** A heading of the sidebar with its pages, in their order. */
const ORDER = [
  { text: "Start", pages: ["recipes", "coming-from", "from-aiosqlite", "single-or-pool", "types"] },
  { text: "In depth", pages: ["cancellation", "live-queries", "performance", "reliability"] },
  {
    text: "With others",
    pages: [
      "kysely",
      "drizzle",
      "knex",
      "prisma",
      "typeorm",
      "electron",
      "frameworks",
      "bundlers",
      "tracing",
      "encryption",
      "extensions",
      "libsql",
      "scaling-out",
    ],
  },
];

/** The sidebar for the existing pages. Throws for a page without a place in it. */
export function sidebar(): { text: string; items: { text: string; link: string }[] }[] {
  const there = new Set(globSync("*.md", { cwd: join(root, "docs") }).map((file) => basename(file, ".md")));
  const placed = new Set(ORDER.flatMap(({ pages }) => pages));
  const homeless = [...there].filter((page) => !placed.has(page));
  if (homeless.length > 0)
    throw new Error(`no place in the sidebar: ${homeless.join(", ")}; see docs/site/pages.ts`);
  return ORDER.map(({ text, pages }) => ({
    text,
    items: pages
      .filter((page) => there.has(page))
      .map((page) => ({ text: titleOf(join(root, "docs", `${page}.md`)), link: `/docs/${page}` })),
  }));
}

function titleOf(file: string): string {
  const [, title] = /^# (.+)$/m.exec(readFileSync(file, "utf8")) ?? [];
  if (title === undefined) throw new Error(`${file} has no title`);
  return title;
}

/** The documents of the repository that become pages. */
const PAGES = globSync(["*.md", "docs/*.md"], { cwd: root });

/** The README's name on the site; `landing.ts` makes the home page. */
const OVERVIEW = "overview.md";

/** Copies the documents and their pictures for VitePress, and adds a home page. */
export function layOut(): void {
  rmSync(content, { recursive: true, force: true });
  for (const page of PAGES) {
    const text = readFileSync(join(root, page), "utf8").replace(
      LINK,
      (link, bang: string, words: string, to: string) => {
        const file = join(dirname(page), to.replace(/#.*$/, ""));
        if (bang === "!") cpSync(join(root, file), join(content, file));
        if (file === "README.md") return link.replace("README.md", OVERVIEW);
        // A file of the repository that is not on the site is named without a link. A link to nothing stays, and is an
        // error.
        const elsewhere = bang === "" && !PAGES.includes(file) && existsSync(join(root, file));
        return elsewhere ? words : link;
      },
    );
    const target = join(content, page === "README.md" ? OVERVIEW : page);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
  writeFileSync(join(content, "index.md"), landing(readFileSync(join(root, "README.md"), "utf8")));
}

/** A link or picture in Markdown that leads to a file beside the page. */
const LINK = /(!?)\[([^\]]*)\]\((?!https?:|#)([^)\s]+)\)/g;
