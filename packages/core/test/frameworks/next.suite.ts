import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { databaseAt, filesOf } from "./document.ts";
import { deploy, type Files, Installation } from "./installation.ts";
import { Server } from "./server.ts";
import { BUILDER_IMPORTS, BUILDER_QUERIES, BUILT_QUERIES } from "./subpaths.ts";
import { next } from "./versions.ts";
import { visitsIn } from "./written.ts";

const DATABASE = "lib/database.js";
const NEXT = "next/dist/bin/next";

/** The module of the document, in a state that can be told from another. */
const inEdition = (edition: number): Files => ({
  [DATABASE]: `${databaseAt(DATABASE)[DATABASE]}\nexport const edition = ${edition};\n`,
});

let installation: Installation;

beforeAll(async () => {
  installation = await Installation.of(next, "module");
  await installation.write({
    ...inEdition(1),
    ...filesOf("Next.js"),
    "app/layout.js": `
      export default function Layout({ children }) {
        return <html><body>{children}</body></html>;
      }`,
    "app/builders/route.js": `${BUILDER_IMPORTS}${BUILDER_QUERIES}
      export const dynamic = "force-dynamic";
      export const GET = async () => Response.json(await builders());`,
    "app/state/route.js": `
      import { capabilities, threadStats } from "@sqlite-aio/core";
      import { database, edition } from "../../lib/database.js";
      export const dynamic = "force-dynamic";
      export async function GET() {
        await database();
        const { active } = threadStats();
        return Response.json({ active, edition, interrupt: capabilities.interrupt });
      }`,
  });
});

afterAll(() => installation.remove());

describe.each(["--webpack", "--turbopack"])("Next, by docs/frameworks.md, with %s", (bundler) => {
  it("brings all along into its standalone output", async () => {
    await rm(join(installation.folder, ".next"), { recursive: true, force: true, maxRetries: 10 });
    await installation.run(NEXT, ["build", bundler]);
    const folder = await deploy(join(installation.folder, ".next/standalone"));
    const server = await Server.start(folder, ["server.js"], /Ready in/);
    expect(await server.ask("/state")).toMatchObject({ interrupt: true });
    expect(await server.ask("/builders")).toEqual(BUILT_QUERIES);
    expect([await server.ask("/visits"), await server.ask("/visits")]).toEqual([
      { visits: 1 },
      { visits: 2 },
    ]);
    await server.terminate();
    expect(await visitsIn(join(folder, "app.db"))).toBe(2);
  });

  it("keeps its pool while `next dev` loads the module again", async () => {
    await rm(join(installation.folder, ".next"), { recursive: true, force: true, maxRetries: 10 });
    const server = await installation.serve(NEXT, ["dev", bundler], /Ready in/);
    const before = (await server.ask("/state")) as { active: number };
    expect(before).toMatchObject({ edition: 1 });
    await installation.write(inEdition(2));
    await expect.poll(() => server.ask("/state"), { timeout: 60_000 }).toEqual({ ...before, edition: 2 });
    await server.terminate();
    await installation.write(inEdition(1));
  });
});
