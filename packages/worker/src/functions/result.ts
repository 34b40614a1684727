import { types } from "node:util";
import type { SqlValue } from "../wire/protocol.js";

/** Converts the result of a module's function to a value that binds. Throws if it has no such form. */
export function toResult(value: unknown): SqlValue {
  switch (typeof value) {
    case "undefined":
      return null;
    case "boolean":
      return value ? 1 : 0;
    case "number":
    case "string":
      return value;
    case "bigint":
      if (BigInt.asIntN(64, value) !== value)
        throw new RangeError("a SQL function returned a bigint out of the range of INTEGER");
      return value;
    default:
      break;
  }
  if (value === null) return null;
  if (types.isArrayBuffer(value)) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  refusePromise(value);
  throw new TypeError(`a SQL function must return a value that binds, not ${typeof value}`);
}

/** Throws for a promise, which SQLite cannot wait for. */
export function refusePromise(value: unknown): void {
  if (!types.isPromise(value)) return;
  // An unhandled rejection would end the thread.
  value.catch(() => {});
  throw new TypeError("a SQL function must return a value that binds, not a promise");
}
