import type { Fault } from "@sqlite-aio/worker/wire";
import { OperationalError } from "./errors.js";
import { isInstance } from "./is-instance.js";

/** A rejection that is not an error yet. The error is made where the caller's stack is known. */
export class ErrorReason {
  readonly make: () => Error;

  constructor(make: () => Error) {
    this.make = make;
  }
}

/** The value to throw for a reason: an {@link ErrorReason}'s error, made now, or the reason itself. */
export function thrownFor(reason: unknown): unknown {
  return isInstance(reason, ErrorReason) ? reason.make() : reason;
}

/** Like {@link ErrorReason}, for a fault of the thread. */
export class FaultReason {
  readonly fault: Fault;
  readonly thrown: unknown;

  constructor(fault: Fault, thrown: unknown) {
    this.fault = fault;
    this.thrown = thrown;
  }
}

/** The reason of a call that `interrupt()` cancelled. */
export const interrupted = new ErrorReason(
  () => new OperationalError("interrupted", { code: "SQLITE_INTERRUPT" }),
);

/** Adds to a cancelled call's reason that its transaction was rolled back. */
export function withRollback(reason: unknown): unknown {
  const mark = (error: Error): Error => Object.assign(error, { rolledBack: true });
  if (isInstance(reason, OperationalError)) return mark(reason);
  return isInstance(reason, ErrorReason) ? new ErrorReason(() => mark(reason.make())) : reason;
}
