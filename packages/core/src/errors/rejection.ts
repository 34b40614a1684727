import type { Fault } from "@sqlite-aio/worker/wire";
import { OperationalError } from "./errors.js";
import { isInstance } from "./is-instance.js";

/** A rejection that is not an error yet: it is made where the caller's stack is known. */
export class ErrorReason {
  readonly make: () => Error;

  constructor(make: () => Error) {
    this.make = make;
  }
}

/** What is thrown for a reason: the error that it stands for, made now, or the reason itself. */
export function thrownFor(reason: unknown): unknown {
  return isInstance(reason, ErrorReason) ? reason.make() : reason;
}

/** An {@link ErrorReason} for a fault of the thread's. */
export class FaultReason {
  readonly fault: Fault;
  readonly thrown: unknown;

  constructor(fault: Fault, thrown: unknown) {
    this.fault = fault;
    this.thrown = thrown;
  }
}

/** Why a call was given up by `interrupt()`. */
export const interrupted = new ErrorReason(
  () => new OperationalError("interrupted", { code: "SQLITE_INTERRUPT" }),
);

/** Why a call was given up, and that it took its transaction along. */
export function withRollback(reason: unknown, fault: Fault): unknown {
  if (fault.rolledBack !== true) return reason;
  const mark = (error: Error): Error => Object.assign(error, { rolledBack: true });
  if (isInstance(reason, OperationalError)) return mark(reason);
  return isInstance(reason, ErrorReason) ? new ErrorReason(() => mark(reason.make())) : reason;
}
