import { Deadline } from "../../options/deadline.js";
import type { CallOptions } from "../../options/connect-options.js";
import { QueryTrace } from "../../tracing/query-trace.js";
import type { RemoteResult } from "./remote-values.js";
import type { ClusterSettings } from "./settings.js";

/** A statement as traces show it. */
export interface TracedStatement {
  readonly code: number;
  readonly sql: string;
  readonly parameters: object | undefined;
}

/** Runs `work` within the caller's time limits, and traces it. */
export async function traced<T>(
  { name, callTimeout, connection: { slowQueryMs } }: ClusterSettings,
  { code, sql, parameters }: TracedStatement,
  options: CallOptions | undefined,
  work: () => Promise<T>,
): Promise<T> {
  const deadline = Deadline.of(options, callTimeout);
  const call = (): Promise<T> => {
    const done = work();
    return deadline?.race(done, sql) ?? done;
  };
  const trace = QueryTrace.of(code, sql, parameters, { database: name, slowQueryMs });
  if (trace === null) return await call();
  return await trace.follow(call, (result) => {
    const { rows, changes } = result as unknown as Partial<RemoteResult>;
    trace.succeeded(rows?.length ?? 0, changes ?? -1);
  });
}
