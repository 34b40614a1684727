import { IpcCode } from "./envelope.js";

/** Deeper than any result; an object that refers to itself goes on for ever. */
const MAX_DEPTH = 100;

/** A value that cannot be sent to another process. */
export class NotCloneableError extends TypeError {
  override readonly name: string = "NotCloneableError";
  readonly code: string = IpcCode.CLONE;
}

/**
 * Makes values fit to be sent, as structured clone would: what it knows stays as it is, other objects lose their class.
 * Parts of a larger memory are copied out of it: structured clone sends the whole, and what else Node keeps in the
 * memory that small Buffers share is nothing for a page to see.
 */
export class Cloner {
  /** Bytes of text and binary data seen, roughly. */
  size = 0;

  copy(value: unknown, depth = 0): unknown {
    switch (typeof value) {
      case "string":
        this.size += value.length;
        return value;
      case "function":
      case "symbol":
        throw new NotCloneableError(`a ${typeof value} cannot be sent to another process`);
      case "object":
        return value === null ? null : this.#object(value, depth + 1);
      default:
        this.size += 8;
        return value;
    }
  }

  #object(value: object, depth: number): unknown {
    if (depth > MAX_DEPTH) {
      throw new NotCloneableError("a value that is nested too deep, or holds itself, cannot be sent");
    }
    if (ArrayBuffer.isView(value)) return this.#view(value);
    if (Array.isArray(value)) return this.#array(value, depth);
    if (value instanceof ArrayBuffer) {
      this.size += value.byteLength;
      return value;
    }
    if (value instanceof Map) {
      return new Map([...value].map(([key, item]) => [this.copy(key, depth), this.copy(item, depth)]));
    }
    if (value instanceof Set) return new Set([...value].map((item) => this.copy(item, depth)));
    if (value instanceof Date || value instanceof RegExp || value instanceof Error) return value;
    const name = LIVE.find((type) => value instanceof type)?.name ?? (isStream(value) ? "stream" : undefined);
    if (name !== undefined) {
      throw new NotCloneableError(`a ${name} inside a value cannot be sent to another process`);
    }
    return this.#record(value, depth);
  }

  #array(value: readonly unknown[], depth: number): unknown[] {
    const copies = value.map((item) => this.copy(item, depth));
    return copies.every((copy, index) => Object.is(copy, value[index])) ? (value as unknown[]) : copies;
  }

  #record(value: object, depth: number): object {
    const entries = Object.entries(value);
    let same = true;
    for (const entry of entries) {
      const copy = this.copy(entry[1], depth);
      same &&= Object.is(copy, entry[1]);
      entry[1] = copy;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    // A column may be called __proto__: never assigned, always defined.
    return same && (prototype === Object.prototype || prototype === null)
      ? value
      : Object.fromEntries(entries);
  }

  #view(value: ArrayBufferView): ArrayBufferView {
    this.size += value.byteLength;
    const { buffer, byteOffset, byteLength } = value;
    const whole = buffer instanceof ArrayBuffer && buffer.byteLength === byteLength;
    if (value instanceof Uint8Array) {
      if (!whole) return new Uint8Array(value);
      return Object.getPrototypeOf(value) === Uint8Array.prototype ? value : new Uint8Array(buffer);
    }
    if (whole) return value;
    const bytes = new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength)).buffer;
    const View = value.constructor as new (buffer: ArrayBuffer) => ArrayBufferView;
    return new View(bytes);
  }
}

/** What would arrive as an empty object, or not at all. */
const LIVE: readonly (abstract new (...args: never[]) => object)[] = [
  Promise,
  WeakMap,
  WeakSet,
  WeakRef,
  SharedArrayBuffer,
];

/** Something to be read piece by piece. */
export function isStream(value: unknown): value is AsyncIterable<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === "function"
  );
}
