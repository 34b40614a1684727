import { type HrTime, SpanStatusCode } from "@opentelemetry/api";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-node";

/** Prints spans below their parents, in the order in which they began, each with its duration. */
export function printTree(spans: readonly ReadableSpan[], parent?: string, depth = 0): void {
  const known = new Set(spans.map((span) => span.spanContext().spanId));
  const children = spans
    .filter(({ parentSpanContext }) => {
      const id = parentSpanContext?.spanId;
      return parent === undefined ? id === undefined || !known.has(id) : id === parent;
    })
    .toSorted((a, b) => milliseconds(a.startTime) - milliseconds(b.startTime));
  for (const span of children) {
    const { name, duration, attributes, status } = span;
    const ms = milliseconds(duration).toFixed(1).padStart(7);
    const notes = [
      attributes["db.query.text"],
      status.code === SpanStatusCode.ERROR && `! ${status.message}`,
    ];
    console.log(`${ms} ms ${"  ".repeat(depth)}${[name, ...notes.filter(Boolean)].join("  ")}`);
    printTree(spans, span.spanContext().spanId, depth + 1);
  }
}

function milliseconds([seconds, nanoseconds]: HrTime): number {
  return seconds * 1e3 + nanoseconds / 1e6;
}
