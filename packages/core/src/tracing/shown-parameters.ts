import { type Bindable, bindValue, type Parameters } from "../values/bind.js";
import { tracing } from "./channels.js";

/**
 * What subscribers are shown of the parameters, if anything: a copy, since the caller may go on using what it gave. An
 * object is shown as it is bound. An iterator is not shown: it can be read only once.
 */
export function shownParameters(given: object | undefined): Parameters | undefined {
  if (!tracing.parameters || typeof given !== "object" || given === null) return undefined;
  try {
    if (Array.isArray(given)) return given.map(shownValue);
    if (Symbol.iterator in given) return undefined;
    return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, shownValue(value)]));
  } catch {
    // A proxy or a getter that throws; the call tells the caller.
    return undefined;
  }
}

function shownValue(value: Bindable): Bindable {
  if (typeof value !== "object" || value === null) return value;
  try {
    return bindValue(value, "");
  } catch {
    return undefined;
  }
}
