import { types } from "node:util";
import type { MessagePort } from "node:worker_threads";
import { announceReply, type Control, messageOf, type Source, type SqlValue } from "@sqlite-aio/worker/wire";
import { type Bindable, bindValue } from "../values/bind.js";
import { held, onTurn } from "./event-loop.js";
import { isInstance } from "../errors/is-instance.js";

/** What a closure threw is kept until its fault arrives; one that SQLite swallowed must not be kept for ever. */
const MAX_THROWN = 100;

type Request = [number: number, args: unknown[]];
type Closure = (...args: never[]) => unknown;
type Reply = { ok: true; value: SqlValue } | { ok: false; error: number; message: string; summary?: string };

/** Thrown by a closure that knows what SQLite is to be told of what it met. */
export class CallbackFailure extends Error {
  readonly summary: string;

  constructor(summary: string, cause: unknown) {
    super(summary, { cause });
    this.summary = summary;
  }
}

/** Functions of this side that the thread calls, and waits for. */
export class Callbacks {
  readonly #port: MessagePort;
  readonly #control: Control;
  readonly #closures = new Map<number, Closure>();
  /** By what they are called for: those that outlast the handle, and those that do not. */
  readonly #lasting = new Map<string, number>();
  readonly #ofHandle = new Map<string, number>();
  readonly #thrown = new Map<number, unknown>();
  #lastNumber = 0;
  #lastThrown = 0;

  constructor(port: MessagePort, control: Control) {
    this.#port = port;
    this.#control = control;
    port.on("message", (message) => {
      if (held()) onTurn(() => this.#next(message as Request));
      else this.#answer(message as Request);
    });
    // The thread that waits for an answer has a call pending, which keeps the process alive.
    port.unref();
  }

  add(closure: Closure): number {
    this.#closures.set(++this.#lastNumber, closure);
    return this.#lastNumber;
  }

  /** Answers what the thread asks under a number that both sides know. */
  answers(number: number, closure: Closure): void {
    this.#closures.set(number, closure);
  }

  delete(number: number | undefined): void {
    if (number !== undefined) this.#closures.delete(number);
  }

  /** What was to be called for a definition that has come to nothing. */
  forget(source: Source | null): void {
    if (source !== null && "closure" in source) this.delete(source.closure);
  }

  /**
   * The thread calls `number`, or nothing of this side, for `use` from now on; what it called before is let go of.
   * One that is not `lasting` is for the present handle, and leaves its place to the lasting one with that.
   */
  inUse(use: string, number: number | undefined, lasting: boolean): void {
    this.#replace(this.#ofHandle, use, lasting ? undefined : number);
    if (lasting) this.#replace(this.#lasting, use, number);
  }

  /** The thread has a fresh handle. */
  reopened(): void {
    for (const use of this.#ofHandle.keys()) this.#replace(this.#ofHandle, use, undefined);
  }

  #replace(uses: Map<string, number>, use: string, number: number | undefined): void {
    this.delete(uses.get(use));
    if (number === undefined) uses.delete(use);
    else uses.set(use, number);
  }

  takeThrown(number: number | undefined): unknown {
    if (number === undefined) return undefined;
    const thrown = this.#thrown.get(number);
    this.#thrown.delete(number);
    return thrown;
  }

  close(): void {
    this.#port.close();
    this.#closures.clear();
    this.#thrown.clear();
  }

  /** In the turn of the loop that has just begun. */
  #next(request: Request): void {
    held();
    this.#answer(request);
  }

  #answer([number, args]: Request): void {
    let reply: Reply;
    try {
      // One that is gone throws too, since it is no function: the thread need not wait for it.
      const closure = this.#closures.get(number) as Closure;
      reply = { ok: true, value: bindResult(closure(...(args.map(adoptBlob) as never[]))) };
    } catch (error) {
      reply = isInstance(error, CallbackFailure)
        ? { ...this.#failed(error.cause), summary: error.summary }
        : this.#failed(error);
    }
    this.#port.postMessage(reply);
    announceReply(this.#control);
  }

  #failed(error: unknown): { ok: false; error: number; message: string } {
    return { ok: false, error: this.#keep(error), message: messageOf(error) };
  }

  #keep(error: unknown): number {
    if (this.#thrown.size >= MAX_THROWN) {
      for (const oldest of this.#thrown.keys()) {
        this.#thrown.delete(oldest);
        break;
      }
    }
    this.#thrown.set(++this.#lastThrown, error);
    return this.#lastThrown;
  }
}

/** What a closure gave, as SQLite takes it. */
export function bindResult(value: unknown): SqlValue {
  if (types.isPromise(value)) throw refused(value);
  return bindValue(value as Bindable, "returned by a SQL function");
}

/** Why a closure may give no promise: the thread cannot wait for it. */
export function refused(promise: Promise<unknown>): TypeError {
  promise.catch(() => {});
  return new TypeError("a SQL function must return a value, not a promise");
}

/** Structured clone turns a Buffer into a Uint8Array. */
export function adoptBlob(arg: unknown): unknown {
  return types.isUint8Array(arg) ? Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength) : arg;
}
