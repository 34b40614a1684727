/** VitePress makes the head of the home page from this. */
const HEAD = {
  layout: "home",
  hero: {
    name: "sqlite-aio",
    text: "Async SQLite for Node and Electron",
    tagline:
      "Each connection in a thread of its own, every call a promise, and the main loop waits for no query.",
    actions: [
      { theme: "brand", text: "Overview", link: "/overview" },
      { theme: "alt", text: "Recipes", link: "/docs/recipes" },
      { theme: "alt", text: "API reference", link: "/api/" },
    ],
  },
  features: [
    {
      title: "A pool for servers",
      details:
        "One connection that writes, others that read beside it. Writes of different callers share a commit; a thread that dies is replaced.",
      link: "/docs/single-or-pool",
      linkText: "One connection or a pool",
    },
    {
      title: "aiosqlite, in TypeScript",
      details: "connect() has Python's calls in camelCase, cursors in chunks and PEP 249's errors.",
      link: "/docs/from-aiosqlite",
      linkText: "The names and the differences",
    },
    {
      title: "Statements that can be stopped",
      details: "A signal, a timeout or interrupt() stops what runs, and takes what waits out of the line.",
      link: "/docs/cancellation",
      linkText: "Cancelling a call",
    },
    {
      title: "Promises with a test each",
      details:
        "What is kept when a process is killed, a thread dies or a disk is full, and the fault behind each promise.",
      link: "/docs/reliability",
      linkText: "Reliability",
    },
    {
      title: "Where your program is",
      details:
        "Kysely, Drizzle, Knex, Prisma and TypeORM; Next.js, Nitro, SvelteKit and NestJS; bundlers and Electron.",
      link: "/docs/frameworks",
      linkText: "Frameworks and containers",
    },
    {
      title: "Live queries",
      details:
        "Change events after each commit, and queries that give their rows again when a table they read has changed.",
      link: "/docs/live-queries",
      linkText: "Change events and live queries",
    },
  ],
};

/** The home page, with the first blocks of the README, which a test runs. */
export function landing(readme: string): string {
  const first = (language: string): string => {
    const [block] = new RegExp(`^\`\`\`${language}\\n.*?^\`\`\`$`, "ms").exec(readme) ?? [];
    if (block === undefined) throw new Error(`the README has no block of ${language}`);
    return block;
  };
  // JSON is YAML.
  return `---
${JSON.stringify(HEAD)}
---

## Install

${first("sh")}

## The first program

${first("ts")}

Coming from another driver? [Where its calls are here](docs/coming-from.md). How fast it is beside the others:
[measured](docs/performance.md).
`;
}
