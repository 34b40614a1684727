import {
  type AdaptiveSpin,
  Answer,
  answerEnd,
  type ChangeReport,
  checkHead,
  type Control,
  errorOf,
  type Fault,
  type Frame,
  type HookEvents,
  malformed,
  MAX_FRAME_OPS,
  MAX_UNDER_WAY,
  messageOf,
  MORE_COMING,
  nextSequence,
  Op,
  type Origins,
  type Packet,
  type Reply,
  running,
  SPENT_SHIFT,
  State,
  uncancel,
} from "@sqlite-aio/worker/wire";
import { ErrorReason, FaultReason, interrupted, withRollback } from "../errors/rejection.js";
import type { Call } from "./call.js";
import type { Callbacks } from "./callbacks.js";
import { ProgrammingError } from "../errors/errors.js";
import { atEndOfTick, now } from "./event-loop.js";
import { FRAMES_UNDER_WAY } from "./proxies.js";
import { ReplyRows } from "./reply-rows.js";
import { type Mailbox, SpinWait } from "./spin-wait.js";
import { type CachedStatement, StatementCache } from "./statement-cache.js";

/** What a pipeline needs from its thread. */
export interface PipelineHost {
  readonly control: Control;
  readonly closures: Callbacks;
  /** The Comlink call that sends a frame and returns its reply. Throws if the frame cannot be posted. */
  run(frame: Frame, transfer: readonly ArrayBuffer[]): Promise<Reply>;
  readonly mailbox: Mailbox;
  /** Knows whether it pays to look. */
  readonly spin: AdaptiveSpin;
  /** Keep the process alive, or stop doing so. */
  hold(): void;
  unhold(): void;
  /** Call it when the thread cannot be reached any more. */
  broken(error: Error): void;
}

/** Sends calls to a thread in frames, and gives its answers to the calls. */
export class Pipeline {
  readonly statements: StatementCache;
  readonly #host: PipelineHost;
  /** Calls that are not in a frame yet. */
  #queue: Call[] = [];
  /** Calls in frames, in the order of their answers. */
  readonly #sent: Call[] = [];
  #sequence = 0;
  #calls = 0;
  readonly #spinWait: SpinWait;
  /** When the thread was last known to begin something. */
  #since = 0;
  /** When the thread was last known to begin its present call. */
  #headSince = 0;
  /** The call behind the head that the thread was last seen running, and since when. */
  #inside = 0;
  #insideSince = 0;
  #streaming = false;
  #scheduled = false;
  #stopped = false;
  /** The thread times the operations of the next frame. */
  #timing = false;
  /** Operations without an answer; they come first in the next frame. */
  #ahead: unknown[] = [];
  readonly #rows = new ReplyRows();
  /** Duration in ms of each operation in the present reply. */
  #spent = 0;
  /** From the answer that was read last: one reply contains several calls' answers. */
  #lastInsertRowid: number | bigint = 0;

  inTransaction = false;
  /** The thread's connection was changed beyond its transaction; see State in the wire. */
  tainted = false;
  totalChanges = 0;
  /** Number of answered calls of callers, and of the pool's own calls. */
  executed = 0;
  housekeeping = 0;
  onTrace: ((sql: string) => void) | null = null;
  onChange: ((report: ChangeReport) => void) | null = null;
  onHooks: ((events: HookEvents) => void) | null = null;

  constructor(host: PipelineHost, cachedStatements: number) {
    this.#host = host;
    this.#spinWait = new SpinWait(host.mailbox, host.spin);
    this.statements = new StatementCache(cachedStatements);
  }

  /** The call that the thread is running, or will run next. */
  get head(): Call | undefined {
    return this.#sent[0];
  }

  /**
   * Milliseconds that the thread has run its present call, as far as is known; 0 if it runs none. Uses the control
   * block, because answers may wait while the main loop is busy.
   */
  get busyMs(): number {
    const { head } = this;
    if (head === undefined) return 0;
    const inside = running(this.#host.control);
    if (inside === head.sequence) return now() - this.#headSince;
    if (inside !== this.#inside) {
      this.#inside = inside;
      this.#insideSince = now();
    }
    return inside === 0 ? 0 : now() - this.#insideSince;
  }

  /** All calls that have not ended, in order. */
  get underWay(): Call[] {
    return [...this.#sent, ...this.#queue];
  }

  /** Posts the call at the end of the tick, together with its neighbours. */
  send(call: Call): void {
    if (call.statement !== null) this.statements.sent(call.statement);
    this.#host.hold();
    this.#queue.push(call);
    this.#schedule();
  }

  /** Removes a call that is in no frame yet. */
  withdraw(call: Call): void {
    const at = this.#queue.indexOf(call);
    if (at < 0) return;
    this.#queue.splice(at, 1);
    this.#forget(call);
  }

  /** Posts the queued calls now: a loop over buffered rows would delay the end of the tick. */
  postNow(): void {
    this.#flush();
  }

  /** Tells the thread to drop a cursor's remaining rows. */
  release(cursor: number): void {
    if (this.#stopped) return;
    this.#ahead.push(Op.RELEASE, cursor);
    this.#schedule();
  }

  /** Rejects all calls that have not ended; `why` gives each one's reason. Nothing is sent afterwards. */
  stop(why: (call: Call) => unknown): void {
    this.#stopped = true;
    this.#spinWait.gone();
    this.#rows.end();
    this.inTransaction = false;
    const calls = this.underWay;
    this.#sent.length = 0;
    this.#queue = [];
    for (const call of calls) {
      call.reject(why(call));
      this.#forget(call);
    }
  }

  #forget(call: Call): void {
    if (call.statement !== null) this.statements.settled(call.statement);
    this.#host.unhold();
    call.finish();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    atEndOfTick(this.#endOfTick);
  }

  readonly #endOfTick = (): void => {
    this.#scheduled = false;
    this.#flush();
  };

  #flush(): void {
    if (this.#stopped) return;
    const some = (this.#queue.length > 0 && this.#room > 0) || this.#ahead.length > 0;
    if (this.#calls < FRAMES_UNDER_WAY && some) this.#post();
    // The thread can only send an answer or further packets as the reply to a frame.
    const wanted = this.#sent.length === 0 ? 0 : this.#streaming ? FRAMES_UNDER_WAY : 1;
    while (this.#calls < wanted) this.#post();
  }

  /** How many operations a frame may take now. Unanswered operations must never share a mark in the control block. */
  get #room(): number {
    return Math.max(0, Math.min(MAX_FRAME_OPS, MAX_UNDER_WAY - this.#sent.length));
  }

  #post(): void {
    let calls = this.#take();
    for (;;) {
      const failure = this.#tryToPost(calls);
      if (failure === null) return;
      if (calls.length === 0) {
        this.#host.broken(errorOf(failure.error));
        return;
      }
      // Finds the call that cannot be cloned, or needs too much memory, by halving. Its neighbours are not affected.
      if (calls.length > 1) this.#queue.unshift(...calls.splice(Math.ceil(calls.length / 2)));
      else {
        this.#refuse(calls[0]!, failure.error);
        calls = this.#take();
      }
    }
  }

  /** Takes as many calls as a frame may have. */
  #take(): Call[] {
    const room = this.#room;
    if (this.#queue.length > room) return this.#queue.splice(0, room);
    const calls = this.#queue;
    this.#queue = [];
    return calls;
  }

  /** Posts a frame of `calls`. If that fails, changes nothing and returns why. */
  #tryToPost(calls: readonly Call[]): { readonly error: unknown } | null {
    for (const id of this.statements.takeForgotten()) this.#ahead.push(Op.FORGET, id);
    const ahead = this.#ahead;
    const frame: Frame = [...ahead];
    const list: ArrayBuffer[] = [];
    const before = { sequence: this.#sequence, timing: this.#timing, sent: this.#sent.length };
    const defined: CachedStatement[] = [];
    if (before.sent === 0) this.#headSince = now();
    for (const call of calls) {
      const { statement } = call;
      if (statement !== null && !statement.defined) {
        statement.defined = true;
        defined.push(statement);
        frame.push(Op.DEFINE, statement.id, statement.sql, statement.parameters.names);
      }
      if ((call.trace !== null) !== this.#timing) {
        this.#timing = !this.#timing;
        frame.push(Op.TIME, this.#timing ? 1 : 0);
      }
      this.#sequence = nextSequence(this.#sequence);
      uncancel(this.#host.control, this.#sequence);
      call.sent(this.#sequence);
      call.write(frame, list);
      this.#sent.push(call);
    }
    let answer: Promise<Reply>;
    try {
      answer = this.#host.run(frame, list);
    } catch (error) {
      this.#sequence = before.sequence;
      this.#timing = before.timing;
      this.#sent.length = before.sent;
      for (const statement of defined) statement.defined = false;
      for (const call of calls) call.notSent();
      return { error };
    }
    this.#ahead = [];
    if (this.#calls++ === 0) {
      this.#since = now();
      this.#spinWait.posted(this.#since);
    }
    answer.then(
      (reply) => this.#answered(reply),
      (error: Error) => this.#host.broken(error),
    );
    return null;
  }

  #refuse(call: Call, error: unknown): void {
    const message = `the call cannot be sent to the connection's thread: ${messageOf(error)}`;
    call.reject(
      new ErrorReason(
        () => new ProgrammingError(message, { code: "SQLITE_MISUSE", sql: call.sql, cause: error }),
      ),
    );
    this.#forget(call);
  }

  #answered(reply: Reply): void {
    if (this.#stopped) return;
    this.#calls--;
    const at = now();
    this.#spinWait.answered(at - this.#since, this.#calls);
    this.#since = at;
    try {
      this.#read(reply);
    } catch (error) {
      // It is unknown which calls the rest of the reply belongs to.
      this.#host.broken(error as Error);
      return;
    }
    // The callers that have their answers now may ask again. A frame of the few that wait would keep them apart for good.
    if (this.#calls > 0 && !this.#streaming && this.#queue.length > 0) this.#schedule();
    else this.#flush();
  }

  #read(reply: Reply): void {
    checkHead(reply);
    this.#spent = ((reply[0] as number) >> SPENT_SHIFT) / 1000;
    this.inTransaction = ((reply[0] as number) & State.IN_TRANSACTION) !== 0;
    this.tainted = ((reply[0] as number) & State.TAINTED) !== 0;
    this.totalChanges = reply[1] as number;
    let at = 3;
    for (let shapes = reply[2] as number; shapes > 0; shapes--, at += 4) {
      const statement = this.statements.byId(reply[at] as number);
      if (statement === undefined) continue;
      statement.shape = {
        names: reply[at + 1] as string[],
        types: reply[at + 2] as (string | null)[],
        origins: reply[at + 3] as Origins,
      };
    }
    this.#streaming = false;
    while (at < reply.length) {
      const end = answerEnd(reply, at);
      this.#answer(reply, at);
      at = end;
    }
  }

  /** Gives one answer to the call that waits for it. */
  #answer(reply: Reply, at: number): void {
    const code = reply[at] as number;
    if (code === Answer.CHANGES) {
      this.onChange?.(reply[at + 1] as ChangeReport);
      return;
    }
    if (code === Answer.HOOKS) {
      this.onHooks?.(reply[at + 1] as HookEvents);
      return;
    }
    if (code === Answer.MEMORY) {
      this.#rows.memoryIs(reply[at + 1]);
      return;
    }
    const call = this.#sent[0];
    if (call === undefined) throw malformed("an answer to no call");
    switch (code) {
      case Answer.TRACE:
        this.onTrace?.(reply[at + 1] as string);
        break;
      case Answer.TIMING:
        call.trace?.timed(call, reply[at + 1] as number, reply[at + 2] as number);
        break;
      case Answer.POSTPONED: {
        const [from, to] = [reply[at + 1] as number, reply[at + 2] as number];
        if (from >= this.#sent.length || to >= this.#sent.length) throw malformed("a postponed answer");
        this.#sent.splice(to, 0, ...this.#sent.splice(from, 1));
        break;
      }
      case Answer.DONE:
      case Answer.COUNTS:
        call.gotCounts(reply[at + 1] as number);
        this.#lastInsertRowid = reply[at + 2] as number | bigint;
        if (code === Answer.DONE) this.#finish(call);
        break;
      case Answer.ROWS:
        this.#rows.addCells(call, reply, at);
        this.#more(call, reply[at + 1] as number);
        break;
      case Answer.PACKET:
        this.#rows.addPacket(call, reply[at + 2] as Packet);
        this.#more(call, reply[at + 1] as number);
        break;
      case Answer.BLOCK:
        this.#rows.addBlock(call, reply[at + 2]);
        this.#more(call, reply[at + 1] as number);
        break;
      case Answer.FAULT:
        this.#fail(call, reply[at + 1] as Fault);
        break;
      case Answer.VALUE:
        call.gotValue(reply[at + 1]);
        this.#finish(call);
        break;
      case Answer.REFUSED:
        call.gotRefusal();
        this.#finish(call);
        break;
      default:
        this.#sent.shift();
        call.reject(call.givenUp?.reason ?? interrupted);
        this.#settled(call);
    }
  }

  #more(call: Call, more: number): void {
    if (more === MORE_COMING) {
      call.ran(this.#spent);
      this.#streaming = true;
      return;
    }
    call.gotRows(more !== 0);
    if (call.more && call.settled) this.release(call.cursor);
    this.#finish(call);
  }

  #finish(call: Call): void {
    this.#sent.shift();
    call.ran(this.#spent);
    call.resolve(this.#lastInsertRowid);
    this.#settled(call);
  }

  #fail(call: Call, fault: Fault): void {
    this.#sent.shift();
    if (call.givenUp !== null)
      call.reject(fault.rolledBack === true ? withRollback(call.givenUp.reason) : call.givenUp.reason);
    const thrown = this.#host.closures.takeThrown(fault.callback);
    call.reject(call.cancelled ? interrupted : new FaultReason(fault, thrown));
    this.#settled(call);
  }

  #settled(call: Call): void {
    this.#headSince = this.#since;
    if (call.housekeeping) this.housekeeping++;
    else this.executed++;
    this.#forget(call);
  }
}
