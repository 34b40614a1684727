import type { BuilderConnection } from "../builder-connection.js";

/** Knex's object that gets a connection for a builder's statements and runs them. */
export interface Runner {
  readonly connection?: BuilderConnection | undefined;
  readonly builder: object;
  ensureConnection(work: RunnerWork, ...rest: unknown[]): Promise<unknown>;
}
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
