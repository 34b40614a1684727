import { types } from "node:util";
import { IpcCode, type RemoteFault } from "./envelope.js";

/** Maximum depth; no result is that deep. */
const MAX_DEPTH = 100;

/** A value that cannot be sent to another process. */
export class NotCloneableError extends TypeError {
  override readonly name: string = "NotCloneableError";
  readonly code: string = IpcCode.CLONE;
}

/**
 * Makes values that can be sent, following structured clone: types that it knows stay as they are, other objects lose
 * their class, and proxies are read. Views of a larger buffer are copied: structured clone would send the whole buffer,
 * and a page must not see what else Node keeps in the buffer that small Buffers share. Of an error, only the parts that a
 * page may know are sent.
 */
export class Cloner {
  /** Approximate bytes of text and binary data so far. */
  size = 0;
  readonly #describe: (error: unknown) => RemoteFault;
  /** The copy of each object, so that shared objects are copied once; null while the copy is being made. */
  readonly #copies = new Map<object, object | null>();

  constructor(describe: (error: unknown) => RemoteFault) {
    this.#describe = describe;
  }

  copy(value: unknown, depth = 0): unknown {
    switch (typeof value) {
      case "string":
        this.size += value.length;
        return value;
      case "function":
      case "symbol":
        throw new NotCloneableError(`a ${typeof value} cannot be sent to another process`);
      case "object":
        return value === null ? null : this.#once(value, depth + 1);
      default:
        this.size += 8;
        return value;
    }
  }

  #once(value: object, depth: number): object {
    const known = this.#copies.get(value);
    if (known === null) throw new NotCloneableError("a value that holds itself cannot be sent");
    if (known !== undefined) return known;
    if (depth > MAX_DEPTH) throw new NotCloneableError("a value that is nested too deep cannot be sent");
    this.#copies.set(value, null);
    const copy = this.#object(value, depth);
    this.#copies.set(value, copy);
    return copy;
  }

  #object(value: object, depth: number): object {
    if (ArrayBuffer.isView(value)) return this.#view(value);
    if (Array.isArray(value)) return this.#array(value, depth);
    if (types.isArrayBuffer(value)) {
      this.size += value.byteLength;
      return value;
    }
    if (types.isMap(value)) {
      return new Map([...value].map(([key, item]) => [this.copy(key, depth), this.copy(item, depth)]));
    }
    if (types.isSet(value)) return new Set([...value].map((item) => this.copy(item, depth)));
    if (types.isNativeError(value)) return this.#error(value);
    if (types.isDate(value) || types.isRegExp(value)) return value;
    const name = LIVE.find(([is]) => is(value))?.[1] ?? (isStream(value) ? "stream" : undefined);
    if (name !== undefined) {
      throw new NotCloneableError(`a ${name} inside a value cannot be sent to another process`);
    }
    return this.#record(value, depth);
  }

  /** Structured clone would also send its stack and its cause. */
  #error(value: Error): Error {
    const { name, message } = this.#describe(value);
    this.size += message.length;
    const copy = new Error(message);
    copy.name = name;
    copy.stack = `${name}: ${message}`;
    return copy;
  }

  #array(value: readonly unknown[], depth: number): unknown[] {
    // A page may send an array of four billion holes, all of which map() would visit.
    if (value.includes(undefined)) return this.#holey(value, depth);
    const copies = value.map((item) => this.copy(item, depth));
    const same = copies.every((copy, index) => Object.is(copy, value[index]));
    return same && !types.isProxy(value) ? (value as unknown[]) : copies;
  }

  /** For an array that has holes or holds undefined. */
  #holey(value: readonly unknown[], depth: number): unknown[] {
    const copies: unknown[] = [];
    copies.length = value.length;
    for (const [key, item] of Object.entries(value)) {
      const index = Number(key);
      if (Number.isInteger(index)) copies[index] = this.copy(item, depth);
    }
    return copies;
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
    const plain = (prototype === Object.prototype || prototype === null) && !types.isProxy(value);
    return same && plain ? value : Object.fromEntries(entries);
  }

  #view(value: ArrayBufferView): ArrayBufferView {
    this.size += value.byteLength;
    const { buffer, byteOffset, byteLength } = value;
    const whole = types.isArrayBuffer(buffer) && buffer.byteLength === byteLength;
    if (types.isUint8Array(value)) {
      if (!whole) return new Uint8Array(value);
      return Object.getPrototypeOf(value) === Uint8Array.prototype ? value : new Uint8Array(buffer);
    }
    if (whole) return value;
    const bytes = new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength)).buffer;
    const View = value.constructor as new (buffer: ArrayBuffer) => ArrayBufferView;
    return new View(bytes);
  }
}

/** Types that would arrive as an empty object, or not at all. */
const LIVE: readonly (readonly [is: (value: object) => boolean, name: string])[] = [
  [types.isPromise, "Promise"],
  [types.isWeakMap, "WeakMap"],
  [types.isWeakSet, "WeakSet"],
  [(value) => Object.prototype.toString.call(value) === "[object WeakRef]", "WeakRef"],
  [types.isSharedArrayBuffer, "SharedArrayBuffer"],
];

/** Whether it is an async iterable. */
export function isStream(value: unknown): value is AsyncIterable<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === "function"
  );
}
