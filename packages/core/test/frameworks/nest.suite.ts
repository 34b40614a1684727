import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { filesOf } from "./document.ts";
import { Installation } from "./installation.ts";
import { Server } from "./server.ts";
import { nest } from "./versions.ts";
import { isCheckpointed } from "./written.ts";

let installation: Installation;

beforeAll(async () => {
  installation = await Installation.of(nest, "module");
});

afterAll(() => installation.remove());

it("NestJS, by docs/frameworks.md, injects the pool by its class, and closes it when it is told to end", async () => {
  await installation.write({
    ...filesOf("NestJS"),
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        module: "nodenext",
        target: "es2022",
        strict: true,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
        skipLibCheck: true,
        types: ["node"],
        outDir: "dist",
      },
      include: ["src"],
    }),
  });
  await installation.run("typescript/bin/tsc");
  const server = await Server.start(installation.folder, ["dist/main.js"], /successfully started/);
  expect([await server.ask("/visits"), await server.ask("/visits")]).toEqual([{ visits: 1 }, { visits: 2 }]);
  await server.terminate();
  expect(await isCheckpointed(join(installation.folder, "app.db"))).toBe(true);
});
