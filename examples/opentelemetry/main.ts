/**
 * Spans of a pool, with the time that a statement waited apart from the time that it ran. Needs the workspace built, and:
 *
 *     npm --prefix examples/opentelemetry install
 *     node examples/opentelemetry/main.ts
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { trace } from "@opentelemetry/api";
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import { createPool } from "@sqlite-aio/core";
import { ContextStorage } from "./context-storage.ts";
import { instrumentSqlite } from "./instrumentation.ts";
import { printTree } from "./print-tree.ts";

const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
const contextManager = new ContextStorage();
provider.register({ contextManager });

const count =
  "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 200000) SELECT count(*) FROM c";

const folder = await mkdtemp(join(tmpdir(), "opentelemetry-"));
try {
  await using pool = await createPool(join(folder, "app.db"), { readers: 1 });
  // Opens the reader now. Otherwise the first statement that needs it would wait for that.
  await pool.get("SELECT 1");
  instrumentSqlite(contextManager.storage);
  await trace.getTracer("app").startActiveSpan("a request", async (span) => {
    await pool.exec("CREATE TABLE visit (at TEXT, page TEXT)");
    await pool.transaction(async (tx) => {
      await tx.run("INSERT INTO visit VALUES (datetime('now'), ?)", ["/"]);
      await tx.run("INSERT INTO visit VALUES (datetime('now'), ?)", ["/about"]);
    });
    // There is only one reader, so the second statement waits while the first one runs.
    await Promise.all([pool.get(count), pool.all("SELECT at, page FROM visit")]);
    await pool.get("SELECT missing").catch(() => {});
    span.end();
  });
} finally {
  await provider.forceFlush();
  await rm(folder, { recursive: true });
}
printTree(exporter.getFinishedSpans());
