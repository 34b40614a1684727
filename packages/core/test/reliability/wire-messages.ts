import { encodePacket, type Fault, Flag, Mode, Op, type SqlValue, Verb } from "@sqlite-aio/worker/wire";
import { Call } from "../../dist/thread/call.js";
import type { StatementCache } from "../../dist/thread/statement-cache.js";
import type { ReplyWriter } from "../../../worker/dist/handle/reply-writer.js";

type Below = (n: number) => number;

const TEXTS = ["", "a", "ä日🙂", "nul\0nul", "few", "texts", "x".repeat(300)];

export function value(below: Below): SqlValue {
  switch (below(9)) {
    case 0:
      return null;
    case 1:
      return below(1000) - 500;
    case 2:
      return below(1000) / 8 - 30;
    case 3:
      return [-0, 2 ** 53, Number.POSITIVE_INFINITY, 5e-324][below(4)]!;
    case 4:
      return BigInt(below(1000)) * 9_007_199_254_740_993n;
    case 5:
      return TEXTS[below(TEXTS.length)]!;
    case 6:
      return `text ${below(100_000)}`;
    case 7:
      return Uint8Array.from({ length: below(20) }, () => below(256));
    default:
      return BigInt(below(100));
  }
}

/** A column mostly has values of one kind. */
function columnOf(below: Below): () => SqlValue {
  const nulls = below(3) === 0;
  const some = [
    () => value(below),
    () => below(1_000_000),
    () => below(1000) / 8,
    () => TEXTS[below(3)]!,
    () => `text ${below(100_000)}`,
    () => Uint8Array.from({ length: below(12) }, () => below(256)),
    () => BigInt(below(1000)) * 9_007_199_254_740_993n,
    () => null,
  ][below(8)]!;
  return () => (nulls && below(4) === 0 ? null : some());
}

export function rows(count: number, columns: number, below: Below): SqlValue[][] {
  const makers = Array.from({ length: columns }, () => columnOf(below));
  return Array.from({ length: count }, () => makers.map((make) => make()));
}

/** An operation, as the main side makes it. */
export function randomCall(statements: StatementCache, below: Below): Call {
  const sql = `SELECT ${below(60)} -- ${"?".repeat(below(3))}`;
  switch (below(10)) {
    case 0:
      return new Call(Op.FETCH, null, [below(100), below(2) === 0 ? -1 : below(5000)]);
    case 1:
      return new Call(Op.SCRIPT, null, [`${sql}; ${sql}`, Flag.COMMIT_FIRST]);
    case 2:
      return new Call(Op.CONTROL, null, [
        [Verb.BEGIN, Verb.COMMIT, Verb.SAVEPOINT, Verb.BARRIER][below(4)]!,
        below(9),
      ]);
    case 3:
      return new Call(Op.CALL, null, ["serialize", [value(below), { a: [value(below)] }], 0]);
    case 4: {
      const columns = 1 + below(4);
      const statement = statements.get(sql);
      const job = below(9);
      const transfer: ArrayBuffer[] = [];
      const packed = encodePacket(rows(below(30), columns, below), columns, "auto", transfer);
      return new Call(Op.MANY, statement, [0, packed, job], { transfer });
    }
    default: {
      const values = Array.from({ length: below(6) }, () => value(below));
      const mode = [Mode.CURSOR, Mode.ALL, Mode.GET, Mode.RUN][below(4)]!;
      const fields = [mode, below(128), below(50), below(99) - 1, values.length, ...values];
      return new Call(Op.QUERY, statements.get(sql), fields, { objects: below(2) === 0 });
    }
  }
}

/** What the thread has to say to an operation. */
export interface Reaction {
  readonly kind: "done" | "rows" | "fault" | "value" | "skipped" | "refused";
  readonly changes: number;
  readonly rowid: number | bigint;
  readonly names: readonly string[];
  readonly rows: SqlValue[][];
  readonly more: number;
  readonly value: unknown;
  readonly fault: Fault;
}

const NAMES = ["a", "b", "__proto__", "ä", "", "constructor", "x y"];

export function randomNames(below: Below): readonly string[] {
  return NAMES.slice(0, 1 + below(NAMES.length));
}

export function randomReaction(call: Call, names: readonly string[], below: Below): Reaction {
  const mayGiveRows = call.code === Op.QUERY || call.code === Op.FETCH;
  const kind = (["done", "rows", "rows", "rows", "fault", "value", "skipped", "refused"] as const)[below(8)]!;
  const many = below(12) === 0;
  return {
    kind: kind === "rows" && !mayGiveRows ? "done" : kind,
    changes: below(100) - 1,
    rowid: below(2) === 0 ? below(1000) : 9_007_199_254_740_993n,
    names,
    rows: rows(many ? 100 + below(400) : below(9), names.length, below),
    more: below(2) === 0 ? 0 : 2,
    value: [value(below), { deep: [value(below)] }, null][below(3)],
    fault: {
      kind: (["engine", "usage", "callback", "function"] as const)[below(4)]!,
      code: `SQLITE_${below(100)}`,
      message: TEXTS[below(TEXTS.length)]!,
      name: "SqliteError",
      stack: "at nowhere",
      ...(below(3) === 0 ? { set: below(50) } : {}),
      ...(below(3) === 0 ? { rolledBack: true } : {}),
    },
  };
}

/** A statement as the writer of replies needs it, with its column names of the moment. */
export class ShapedStatement {
  readonly id: number;
  epoch = -1;
  names: readonly string[] | null = null;
  types: readonly (string | null)[] | null = null;
  now: readonly string[] = [];

  constructor(id: number) {
    this.id = id;
  }

  columns(): { name: string; type: string | null }[] {
    return this.now.map((name, i) => ({ name, type: (this.id + i) % 2 === 0 ? null : "TEXT" }));
  }
}

/** Writes what the thread has to say, with what is told beside it now and then. */
export function react(
  writer: ReplyWriter,
  reaction: Reaction,
  statement: ShapedStatement | null,
  below: Below,
): void {
  if (below(10) === 0) writer.trace("SELECT 'traced'");
  if (below(10) === 0)
    writer.changed({
      tables: [{ database: "main", table: "t", rowids: null }],
      schema: false,
      anything: below(2) === 0,
    });
  if (below(10) === 0) writer.ran(writer.timing(5.5), 0.25);
  switch (reaction.kind) {
    case "done":
      return writer.done(reaction.changes, reaction.rowid);
    case "fault":
      // As the thread does with what was thrown: the fault itself is what is compared.
      return writer.fault(
        Object.assign(new Error(reaction.fault.message), { code: reaction.fault.code }),
        reaction.fault,
      );
    case "value":
      return writer.value(reaction.value);
    case "skipped":
      return writer.skipped();
    case "refused":
      return writer.refused();
    default:
      if (statement !== null) writer.gaveRows(statement as never);
      if (below(5) === 0) writer.counts(reaction.changes, BigInt(reaction.rowid));
      writer.rows(
        reaction.rows.map((row) => row.map((cell) => (cell instanceof Uint8Array ? cell.slice() : cell))),
        reaction.names.length,
        reaction.more,
        0,
      );
  }
}
