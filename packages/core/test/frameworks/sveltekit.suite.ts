import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { databaseAt, filesOf } from "./document.ts";
import { Installation } from "./installation.ts";
import { Server } from "./server.ts";
import { sveltekit } from "./versions.ts";
import { isCheckpointed } from "./written.ts";

let installation: Installation;

beforeAll(async () => {
  installation = await Installation.of(sveltekit, "module");
});

afterAll(() => installation.remove());

it("SvelteKit, by docs/frameworks.md, serves from its Node adapter, and closes the pool when it is told to end", async () => {
  await installation.write({
    ...databaseAt("src/lib/server/database.js"),
    ...filesOf("SvelteKit"),
    "src/app.html": "<!doctype html><html><head>%sveltekit.head%</head><body>%sveltekit.body%</body></html>",
  });
  await installation.run("vite/bin/vite.js", ["build"]);
  const server = await Server.start(installation.folder, ["build/index.js"], /Listening on/);
  expect([await server.ask("/visits"), await server.ask("/visits")]).toEqual([{ visits: 1 }, { visits: 2 }]);
  expect(await server.terminate()).toBe(0);
  expect(await isCheckpointed(join(installation.folder, "app.db"))).toBe(true);
});
