import { loadExtension } from "../engine/load-extension.js";
import { UsageError } from "../wire/fault.js";
import { requireDatabase } from "./backup.js";
import type { Session } from "./session.js";

/** The rare methods of a session, by name. */
export class Methods {
  readonly #session: Session;
  #loadExtension = false;

  constructor(session: Session) {
    this.#session = session;
  }

  /** A fresh handle is open. */
  reopened(): void {
    this.#loadExtension = false;
  }

  call(method: string, args: readonly unknown[]): void {
    const session = this.#session;
    switch (method) {
      case "serialize": {
        session.requireNoCursor("the database cannot be serialized");
        const [attached] = args as [string];
        // The engine would say that it is out of memory.
        requireDatabase(session.db, attached);
        const image = new Uint8Array(session.db.serialize({ attached }));
        session.out.value(image, [image.buffer]);
        return;
      }
      case "enableLoadExtension":
        this.#loadExtension = args[0] === true;
        session.taint();
        break;
      case "loadExtension": {
        const [path, entryPoint] = args as [string, string | null];
        if (!this.#loadExtension) throw new UsageError("SQLITE_ERROR", "not authorized");
        session.requireNoCursor("an extension cannot be loaded");
        session.outlast();
        loadExtension(session.db, path, entryPoint);
        session.taint();
        session.schemaMayHaveChanged();
        break;
      }
      case "blobOpen": {
        const [number, names, rowid, writable] = args as Parameters<Session["blobs"]["open"]>;
        session.out.value(session.blobs.open(number, names, rowid, writable));
        return;
      }
      case "blobRead": {
        const [number, offset, size] = args as [number, number, number];
        const bytes = session.blobs.read(number, offset, size);
        session.out.value(bytes, [bytes.buffer]);
        return;
      }
      case "blobWrite": {
        const [number, offset, bytes] = args as [number, number, Uint8Array<ArrayBuffer>];
        session.blobs.write(number, offset, bytes);
        // The memory goes back, to be used for the next bytes.
        session.out.value(bytes, [bytes.buffer]);
        return;
      }
      case "blobClose":
        session.blobs.close(args[0] as number);
        break;
      case "hooks":
        session.hooks.record(args[0] as number);
        session.taint();
        break;
      case "limit": {
        const [category, limit] = args as [number, number];
        if (limit >= 0) session.taint();
        session.out.value(session.limits.limit(category, limit));
        return;
      }
      case "setconfig":
        session.limits.setSwitch(args[0] as number, args[1] as boolean);
        session.taint();
        session.schemaMayHaveChanged();
        break;
      case "getconfig":
        session.out.value(session.limits.getSwitch(args[0] as number));
        return;
      case "trackChanges":
        session.changes.track(args[0] === true);
        break;
      case "lookOutside":
        session.out.value(session.changes.externally());
        return;
      case "tableAccess":
        session.out.value(session.changes.access(args[0] as string));
        return;
      case "trace":
        session.traceStatements(args[0] === true);
        session.taint();
        break;
      default:
        throw new UsageError("PROTOCOL", `there is no method "${method}"`);
    }
    session.out.value(null);
  }
}
