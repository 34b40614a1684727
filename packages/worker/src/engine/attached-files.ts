import { type EngineDatabase, prepareOwn } from "./engine-api.js";
import { quoteName } from "../sql/quote.js";
import { UsageError } from "../wire/fault.js";

/** Reports the attached files. Returns why they cannot be attached, null if they can. */
type Claim = (files: readonly string[]) => string | null;
type Privately = <T>(work: () => T) => T;
type Row = [seq: unknown, name: string, file: string | null];

/** The files attached to the handle. The main side knows which copy of SQLite has a file open. */
export class AttachedFiles {
  readonly #claim: Claim;
  readonly #privately: Privately;
  #claimed: readonly string[] = [];

  constructor(claim: Claim, privately: Privately) {
    this.#claim = claim;
    this.#privately = privately;
  }

  /** Call it when a handle was opened. `attaches`: it has run a setup module or an extension. */
  opened(db: EngineDatabase, attaches: boolean): void {
    if (attaches || this.#claimed.length > 0) this.mayHaveChanged(db);
  }

  /**
   * Call it when a file may have been attached or detached. If another copy of SQLite has the file open, detaches it
   * and throws.
   */
  mayHaveChanged(db: EngineDatabase): void {
    const found = this.#list(db);
    const files = found.map(([, , file]) => file!);
    if (files.join("\0") === this.#claimed.join("\0")) return;
    const why = this.#claim(files);
    if (why === null) {
      this.#claimed = files;
      return;
    }
    const added = found.filter(([, , file]) => !this.#claimed.includes(file!));
    this.#privately(() => {
      // DETACH fails inside a transaction. Nothing was read from the file or written to it.
      if (db.inTransaction) prepareOwn(db, "ROLLBACK").run();
      for (const [, name] of added) prepareOwn(db, `DETACH ${quoteName(name)}`).run();
    });
    throw new UsageError("SQLITE_AIO_TWO_ENGINES", why);
  }

  #list(db: EngineDatabase): Row[] {
    const rows = this.#privately(() => prepareOwn(db, "PRAGMA database_list").raw().all()) as Row[];
    return rows.filter(
      ([, name, file]) => name !== "main" && name !== "temp" && file !== null && file !== "",
    );
  }
}
