import type { AsyncLocalStorage } from "node:async_hooks";
import type { TracingChannel } from "node:diagnostics_channel";
import {
  type Attributes,
  type Context,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import {
  acquireChannel,
  queryChannel,
  type QueryEvent,
  transactionChannel,
} from "@sqlite-aio/core/diagnostics";

const tracer = trace.getTracer("@sqlite-aio/core");

/** A span for everything that the channel publishes; `finish` completes it. */
function instrument<E extends { readonly error?: unknown }>(
  channel: TracingChannel<unknown, E>,
  storage: AsyncLocalStorage<Context>,
  nameOf: (event: E) => string,
  finish: (event: E, span: Span, startedAt: number) => void,
): void {
  const open = new WeakMap<E, { readonly span: Span; readonly startedAt: number }>();
  // What runs inside of the call, such as the callback of a transaction, has the call's span around it.
  channel.start.bindStore(storage, (event) => {
    const startedAt = now();
    const span = tracer.startSpan(nameOf(event), { kind: SpanKind.CLIENT, startTime: startedAt });
    open.set(event, { span, startedAt });
    return trace.setSpan(context.active(), span);
  });
  channel.asyncEnd.subscribe((message) => {
    const event = message as E;
    const { span, startedAt } = open.get(event) ?? {};
    if (span === undefined || startedAt === undefined) return;
    if (event.error instanceof Error) {
      span.recordException(event.error);
      span.setStatus({ code: SpanStatusCode.ERROR, message: event.error.message });
    }
    finish(event, span, startedAt);
    // The SDK would take the wall clock, which is coarser, beside a start of ours.
    span.end(now());
  });
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

/** The names are those of https://opentelemetry.io/docs/specs/semconv/database/. */
function queryAttributes(event: QueryEvent): Attributes {
  return {
    "db.system.name": "sqlite",
    "db.namespace": event.database,
    "db.query.text": event.sql,
    "db.response.returned_rows": event.rows,
    "thread.id": event.thread,
    "sqlite_aio.queue_ms": event.queueMs,
    "sqlite_aio.exec_ms": event.execMs,
  };
}

/** Turns what the channels publish into spans. `storage` is where the context manager keeps the active context. */
export function instrumentSqlite(storage: AsyncLocalStorage<Context>): void {
  instrument(
    queryChannel,
    storage,
    ({ sql }) => sql.trimStart().split(/\s/, 1)[0]?.toUpperCase() ?? "",
    (event, span, startedAt) => {
      span.setAttributes(queryAttributes(event));
      const { queueMs, execMs } = event;
      if (queueMs === undefined || execMs === undefined) return;
      // The thread has told when it began, so the wait and the run are spans of their own.
      const inside = trace.setSpan(context.active(), span);
      const begunAt = startedAt + queueMs;
      tracer.startSpan("queue", { startTime: startedAt }, inside).end(begunAt);
      tracer.startSpan("run", { startTime: begunAt }, inside).end(begunAt + execMs);
    },
  );
  instrument(
    transactionChannel,
    storage,
    ({ mode }) => `transaction (${mode})`,
    ({ queueMs, openMs }, span) => {
      span.setAttributes({ "sqlite_aio.queue_ms": queueMs, "sqlite_aio.open_ms": openMs });
    },
  );
  instrument(
    acquireChannel,
    storage,
    ({ role }) => `acquire ${role}`,
    ({ thread, queueMs }, span) => {
      span.setAttributes({ "thread.id": thread, "sqlite_aio.queue_ms": queueMs });
    },
  );
}
