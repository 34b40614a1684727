import type { StatementInfo as Compiled } from "@sqlite-aio/worker/wire";
import type { ParameterList } from "@sqlite-aio/worker/sql";
import type { Call } from "../thread/call.js";
import type { CallOptions } from "../options/connect-options.js";
import type { SqlStatement } from "../values/sql-statement.js";
import { type ColumnInfo, columnsOf } from "../values/shape.js";
import type { Caller, Handle } from "./handle.js";

/** Facts about a statement that was compiled but not run. */
export interface StatementInfo {
  /** Empty if the statement returns no rows. */
  readonly columns: readonly ColumnInfo[];
  /** Names of the parameters, in the order of their numbers, with their `:`, `@` or `$`; null for `?`. */
  readonly parameters: readonly (string | null)[];
  /** The statement writes nothing, see https://sqlite.org/c3ref/stmt_readonly.html. */
  readonly readonly: boolean;
}

/** Compiles a statement. The thread caches it for the first run. */
export async function describe(
  handle: Handle,
  sql: string | SqlStatement,
  options: CallOptions | undefined,
  caller: Caller,
): Promise<StatementInfo> {
  return statementInfo(await handle.perform(handle.compile(sql), options, caller));
}

/** Reads the answer to a call of `compile()`. */
export function statementInfo(call: Call): StatementInfo {
  const { names, types, origins, readonly } = call.value as Compiled;
  return {
    columns: columnsOf({ names, types, origins }),
    parameters: parameterNames(call.statement!.parameters),
    readonly,
  };
}

function parameterNames({ count, names }: ParameterList): readonly (string | null)[] {
  return names ?? Array.from({ length: count }, () => null);
}
