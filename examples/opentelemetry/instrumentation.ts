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

/** Makes a span for each event of the channel; `finish` completes it. */
function instrument<E extends { readonly error?: unknown }>(
  channel: TracingChannel<unknown, E>,
  storage: AsyncLocalStorage<Context>,
  nameOf: (event: E) => string,
  finish: (event: E, span: Span, startedAt: number) => void,
): void {
  const open = new WeakMap<E, { readonly span: Span; readonly startedAt: number }>();
  // Spans inside the call, such as those in a transaction's callback, become children of the call's span.
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
    // The SDK would end the span by the wall clock, which is coarser than the clock of our start.
    span.end(now());
  });
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

/** The attributes, with names from https://opentelemetry.io/docs/specs/semconv/database/. */
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

/** Turns the events of the channels into spans. `storage` is where the context manager keeps the active context. */
export function instrumentSqlite(storage: AsyncLocalStorage<Context>): void {
  instrument(
    queryChannel,
    storage,
    ({ sql }) => sql.trimStart().split(/\s/, 1)[0]?.toUpperCase() ?? "",
    (event, span, startedAt) => {
      span.setAttributes(queryAttributes(event));
      const { queueMs, execMs } = event;
      if (queueMs === undefined || execMs === undefined) return;
      // The thread reports when it began, so the wait and the run become separate spans.
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
