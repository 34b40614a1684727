import type { Batch, HttpClient, HttpStream, RowsResult } from "@libsql/hrana-client";
import { ConnectionClosedError, PrimaryError, QueueFullError } from "../../errors/errors.js";
import type { RowSettings } from "../../values/row-maker.js";
import { type HranaModule, loadHrana } from "./hrana.js";
import { identify, IDENTITY_QUERY, newIdentity, PrimaryGuard, UNGUARDED } from "./primary-guard.js";
import { PrimaryStream } from "./primary-stream.js";
import { isNoSuchTable, noAnswer, remoteError } from "./remote-errors.js";
import { isInstance } from "../../errors/is-instance.js";
import { type RemoteResult, remoteResult, type RemoteStatement } from "./remote-values.js";
import type { PrimarySettings } from "./settings.js";

/** A statement that waits to be sent. */
interface Waiting {
  readonly statement: RemoteStatement;
  readonly resolve: (result: RemoteResult) => void;
  readonly reject: (reason: unknown) => void;
}

/** Write requests under way at a time. The primary runs them one after the other anyway. */
const WRITE_REQUESTS = 4;
/** Maximum number of statements in a write request. */
const STATEMENTS = 16;
/** Read requests under way at a time. */
const READ_REQUESTS = 32;

/** The server that has the database. All requests to it over HTTP are made here. */
export class Primary {
  readonly #settings: PrimarySettings;
  readonly #rows: RowSettings;
  readonly #hrana: HranaModule;
  #client: HttpClient | null = null;
  #closed = false;
  readonly #guard: PrimaryGuard;
  readonly #writes: Requests;
  readonly #reads: Requests;
  /** Batches, scripts, transactions and writing connections. The primary runs one; the others wait for its lock. */
  #inLine = 0;

  constructor(settings: PrimarySettings, rows: RowSettings) {
    this.#settings = settings;
    this.#rows = rows;
    this.#hrana = loadHrana();
    this.#guard = new PrimaryGuard(this.#hrana, settings.url.host);
    const { maxWaiting } = settings;
    this.#writes = new Requests(WRITE_REQUESTS, STATEMENTS, maxWaiting, (waiting) =>
      this.#send(waiting, "write"),
    );
    this.#reads = new Requests(READ_REQUESTS, 1, maxWaiting, (waiting) => this.#send(waiting, "read"));
  }

  /** Statements that are sent or wait to be sent. */
  get pending(): number {
    return this.#writes.pending + this.#reads.pending;
  }

  /** Counts a user of the primary's lock until the returned function is called. Throws QueueFullError. */
  enter(): () => void {
    if (this.#inLine > this.#settings.maxWaiting) throw queueFull(this.#settings.maxWaiting);
    this.#inLine++;
    return () => this.#inLine--;
  }

  /** Runs one statement as a transaction of its own. Waiting writes share a request. */
  async execute(statement: RemoteStatement, access: "read" | "write"): Promise<RemoteResult> {
    try {
      return await (access === "read" ? this.#reads : this.#writes).add(statement);
    } catch (error) {
      // Made here, where its stack shows the caller.
      throw remoteError(error, statement[0]);
    }
  }

  /** Runs statements in one transaction and one request. If one fails, all are rolled back. */
  batch(statements: readonly RemoteStatement[]): Promise<RemoteResult[]> {
    return this.#sequence(statements, true);
  }

  /** Runs statements in one request, until one fails. A transaction that they leave open is rolled back. */
  async script(statements: readonly RemoteStatement[]): Promise<void> {
    await this.#sequence(statements, false);
  }

  /** Opens a stream for several statements. The caller must close it. */
  async open(): Promise<PrimaryStream> {
    return new PrimaryStream(await this.#stream(), this.#hrana, this.#guard, this.#rows);
  }

  /** The identity of the database; null if it has none. */
  async identity(): Promise<string | null> {
    try {
      const { rows } = await this.execute([IDENTITY_QUERY, []], "read");
      return typeof rows[0]?.[0] === "string" ? rows[0][0] : null;
    } catch (error) {
      if (isNoSuchTable(error)) return null;
      throw error;
    }
  }

  /** From now on, refuses writes to a database with another identity. */
  expect(identity: string): void {
    this.#guard.expect(identity);
  }

  /** Gives the database an identity, unless it has one. */
  async identify(): Promise<void> {
    await this.batch(identify(newIdentity()));
  }

  /** Closes without waiting for requests under way. */
  close(): void {
    this.#closed = true;
    this.#client?.close();
  }

  /** Runs each statement after the previous one has succeeded. */
  async #sequence(statements: readonly RemoteStatement[], transaction: boolean): Promise<RemoteResult[]> {
    const leave = this.enter();
    try {
      return await this.#inOneRequest(statements, transaction);
    } finally {
      leave();
    }
  }

  async #inOneRequest(statements: readonly RemoteStatement[], transaction: boolean): Promise<RemoteResult[]> {
    const stream = await this.#stream();
    const { BatchCond } = this.#hrana;
    const batch = stream.batch();
    const { condition, passed } = this.#guard.guard(batch);
    const answers: { readonly sql: string | undefined; readonly answer: Promise<RowsResult | undefined> }[] =
      [];
    let last = condition;
    const add = (statement: RemoteStatement, sql?: string): void => {
      const step = batch.step();
      if (last !== null) step.condition(last);
      const answer = step.query(statement);
      answer.catch(() => {});
      answers.push({ sql, answer });
      last = BatchCond.ok(step);
    };
    if (transaction) add(["BEGIN IMMEDIATE", []]);
    const first = answers.length;
    for (const statement of statements) add(statement, statement[0]);
    if (transaction) {
      add(["COMMIT", []]);
      // If a statement's error has rolled back by itself, this ROLLBACK fails, which does not matter.
      batch
        .step()
        .condition(BatchCond.not(last!))
        .run("ROLLBACK")
        .catch(() => {});
    }
    try {
      await sendBatch(stream, batch, passed);
    } catch (error) {
      throw remoteError(error, undefined);
    } finally {
      stream.close();
    }
    const results: RemoteResult[] = [];
    for (const { sql, answer } of answers) {
      try {
        // Statements after a failed one have no answer; the loop throws before it gets to them.
        results.push(remoteResult((await answer)!, this.#rows));
      } catch (error) {
        throw remoteError(error, sql);
      }
    }
    return results.slice(first, first + statements.length);
  }

  async #send(waiting: readonly Waiting[], access: "read" | "write"): Promise<void> {
    const fail = (error: unknown): void => {
      for (const { reject } of waiting) reject(error);
    };
    let stream: HttpStream;
    try {
      stream = await this.#stream();
    } catch (error) {
      fail(error);
      return;
    }
    const batch = stream.batch();
    const { condition, passed } = access === "read" ? UNGUARDED : this.#guard.guard(batch);
    const answers = waiting.map(({ statement }) => {
      const step = batch.step();
      if (condition !== null) step.condition(condition);
      const answer = step.query(statement);
      answer.catch(() => {});
      return answer;
    });
    try {
      await sendBatch(stream, batch, passed);
    } catch (error) {
      fail(error);
      return;
    }
    for (const [index, { resolve, reject }] of waiting.entries()) {
      try {
        resolve(remoteResult((await answers[index])!, this.#rows));
      } catch (error) {
        reject(error);
      }
    }
  }

  async #stream(): Promise<HttpStream> {
    if (this.#closed) throw new ConnectionClosedError("the pool is closed");
    if (this.#client === null || this.#client.closed) {
      const { url, authToken } = this.#settings;
      const fetch = (request: Request): Promise<Response> => this.#fetch(request);
      this.#client = this.#hrana.openHttp(url, authToken, fetch, undefined, 3);
      // `remoteResult()` converts to what `integers` says.
      this.#client.intMode = "bigint";
    }
    const client = this.#client;
    try {
      if ((await client.getVersion()) < 3) throw tooOld(this.#settings.url);
    } catch (error) {
      // The next call uses a new client. This call's statement was not sent.
      client.close();
      throw notBegun(error);
    }
    return client.openStream();
  }

  /** Reads the whole answer. Throws the error for a missing one. */
  async #fetch(request: Request): Promise<Response> {
    const { url, timeout } = this.#settings;
    try {
      const response = await fetch(request, { signal: AbortSignal.timeout(timeout) });
      const { status, headers } = response;
      return new Response(await response.arrayBuffer(), { status, headers });
    } catch (error) {
      throw noAnswer(error, url, timeout);
    }
  }
}

/** Sends a batch and ends the stream. Rejects if there was no answer, or the guard did not pass. */
async function sendBatch(stream: HttpStream, batch: Batch, passed: Promise<unknown>): Promise<void> {
  const done = batch.execute();
  stream.closeGracefully();
  await done;
  await passed;
}

/**
 * Version 3 is needed to ask whether a transaction is open. The server may also just have failed to tell its version.
 */
function tooOld(url: URL): PrimaryError {
  const message = `the server at ${url.host} does not speak version 3 of Hrana; the call was not begun`;
  return new PrimaryError(message, "not-started");
}

function queueFull(maxWaiting: number): QueueFullError {
  return new QueueFullError(`${maxWaiting} callers wait for the primary already (maxWaiting)`);
}

/** The error of a request that was made before any statement was sent. */
function notBegun(error: unknown): unknown {
  if (!isInstance(error, PrimaryError) || error.outcome === "not-started") return error;
  const message = error.message.replace("may have done its work", "was not begun");
  return new PrimaryError(message, "not-started", { cause: error.cause });
}

/** Sends waiting statements, with a limited number of requests at a time. */
class Requests {
  readonly #most: number;
  readonly #size: number;
  readonly #maxWaiting: number;
  readonly #send: (batch: readonly Waiting[]) => Promise<void>;
  readonly #waiting: Waiting[] = [];
  #running = 0;
  #sent = 0;
  #planned = false;

  constructor(
    most: number,
    size: number,
    maxWaiting: number,
    send: (batch: readonly Waiting[]) => Promise<void>,
  ) {
    this.#most = most;
    this.#size = size;
    this.#maxWaiting = maxWaiting;
    this.#send = send;
  }

  get pending(): number {
    return this.#waiting.length + this.#sent;
  }

  /**
   * Rejects with QueueFullError if too many statements wait, apart from those that will be sent at the end of this
   * tick.
   */
  async add(statement: RemoteStatement): Promise<RemoteResult> {
    const free = (this.#most - this.#running) * this.#size;
    if (this.#waiting.length - free >= this.#maxWaiting) throw queueFull(this.#maxWaiting);
    const { promise, resolve, reject } = Promise.withResolvers<RemoteResult>();
    this.#waiting.push({ statement, resolve, reject });
    if (!this.#planned) {
      this.#planned = true;
      // Statements of one tick share requests.
      queueMicrotask(() => {
        this.#planned = false;
        this.#pump();
      });
    }
    return await promise;
  }

  #pump(): void {
    while (this.#waiting.length > 0 && this.#running < this.#most) {
      const batch = this.#waiting.splice(0, this.#size);
      this.#running++;
      this.#sent += batch.length;
      void this.#send(batch).finally(() => {
        this.#running--;
        this.#sent -= batch.length;
        this.#pump();
      });
    }
  }
}
