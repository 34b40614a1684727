import type { Writable } from "node:stream";
import type { BuilderConnection } from "../builder-connection.js";

/** Knex's object that gets a connection for a builder's statements and runs them. */
export interface Runner {
  readonly connection?: BuilderConnection | undefined;
  readonly builder: object;
  ensureConnection(work: RunnerWork, ...rest: unknown[]): Promise<unknown>;
  /** Takes options, or a function that is given the stream. */
  stream(given: unknown): unknown;
}
type StreamHandler = (stream: Writable) => unknown;
type RunnerWork = (runner: Runner, ...rest: unknown[]) => Promise<unknown>;

/**
 * Refuses statements that had a connection to themselves if their effect is lost with it. Done before the release: an
 * error there would hide one of the statements.
 */
export function refusingInVain(runner: Runner): Runner {
  const ensure = runner.ensureConnection.bind(runner);
  const refusing = async (work: RunnerWork, rest: unknown[]): Promise<unknown> => {
    const result = await work(runner, ...rest);
    const refusal = runner.connection?.takeRefusal() ?? null;
    if (refusal !== null) throw refusal;
    return result;
  };
  return Object.assign(runner, {
    ensureConnection: async (work: RunnerWork, ...given: unknown[]) => {
      // The user's own connection is `_connection`, and theirs to release.
      const shared = Boolean(Reflect.get(runner.builder, "_connection") ?? runner.connection);
      return await ensure(shared ? work : (_, ...rest) => refusing(work, rest), ...given);
    },
  });
}

/** Destroys the stream of a handler that throws: nobody would read it, and its statement would keep a connection. */
export function endingStreams(runner: Runner): Runner {
  const begin = runner.stream.bind(runner);
  const ending = (handler: StreamHandler) => (stream: Writable) => {
    try {
      return handler(stream);
    } catch (error) {
      stream.destroy();
      throw error;
    }
  };
  return Object.assign(runner, {
    stream: (given: unknown) => begin(typeof given === "function" ? ending(given as StreamHandler) : given),
  });
}
