import { loadExtension } from "../engine/load-extension.js";
import { UsageError } from "../wire/fault.js";
import { requireDatabase } from "./backup.js";
import type { Blobs } from "./blobs.js";
import type { SessionParts } from "./session-parts.js";

type MethodParts = Pick<
  SessionParts,
  "handle" | "cursors" | "out" | "state" | "schema" | "limits" | "blobs" | "hooks" | "changes" | "trace"
>;

/** The rare methods of a connection, by name. */
export class Methods {
  readonly #parts: MethodParts;
  #loadExtension = false;

  constructor(parts: MethodParts) {
    this.#parts = parts;
  }

  /** Call it when a new handle was opened. */
  reopened(): void {
    this.#loadExtension = false;
  }

  call(method: string, args: readonly unknown[]): void {
    const { handle, cursors, out, state, schema, limits, blobs, hooks, changes, trace } = this.#parts;
    switch (method) {
      case "serialize": {
        cursors.readRest("the database cannot be serialized");
        const [attached] = args as [string];
        // For an unknown name the engine would report "out of memory".
        requireDatabase(handle.db, attached);
        const image = new Uint8Array(handle.db.serialize({ attached }));
        out.value(image, [image.buffer]);
        return;
      }
      case "enableLoadExtension":
        this.#loadExtension = args[0] === true;
        state.taint();
        break;
      case "loadExtension": {
        const [path, entryPoint] = args as [string, string | null];
        if (!this.#loadExtension) throw new UsageError("SQLITE_ERROR", "not authorized");
        cursors.readRest("an extension cannot be loaded");
        state.outlast();
        loadExtension(handle.db, path, entryPoint);
        state.taint();
        schema.mayHaveChanged();
        break;
      }
      case "blobOpen": {
        const [number, names, rowid, writable] = args as Parameters<Blobs["open"]>;
        out.value(blobs.open(number, names, rowid, writable));
        return;
      }
      case "blobRead": {
        const [number, offset, size, most] = args as [number, number, number, number];
        const pieces = blobs.read(number, offset, size, most);
        out.value(
          pieces,
          pieces.map(({ buffer }) => buffer),
        );
        return;
      }
      case "blobWrite": {
        const [number, offset, bytes] = args as [number, number, Uint8Array<ArrayBuffer>];
        blobs.write(number, offset, bytes);
        // The buffer goes back to the main side, which uses it again.
        out.value(bytes, [bytes.buffer]);
        return;
      }
      case "blobClose":
        blobs.close(args[0] as number);
        break;
      case "hooks":
        hooks.record(args[0] as number);
        state.taint();
        break;
      case "limit": {
        const [category, limit] = args as [number, number];
        if (limit >= 0) state.taint();
        out.value(limits.limit(category, limit));
        return;
      }
      case "setconfig":
        limits.setSwitch(args[0] as number, args[1] as boolean);
        state.taint();
        schema.mayHaveChanged();
        break;
      case "getconfig":
        out.value(limits.getSwitch(args[0] as number));
        return;
      case "trackChanges":
        changes.track(args[0] === true);
        break;
      case "lookOutside":
        out.value(changes.externally());
        return;
      case "tableAccess":
        out.value(changes.access(args[0] as string));
        return;
      case "trace":
        trace.turn(args[0] === true);
        state.taint();
        break;
      default:
        throw new UsageError("PROTOCOL", `there is no method "${method}"`);
    }
    out.value(null);
  }
}
