import { type Bindable, bindValue, type Parameters } from "../values/bind.js";
import { tracing } from "./channels.js";

/**
 * A copy of the parameters for subscribers, if they are turned on: the caller may go on using the originals. Objects
 * are shown as they are bound. An iterator is not shown, because it can be read only once.
 */
export function shownParameters(given: object | undefined): Parameters | undefined {
  if (!tracing.parameters || typeof given !== "object" || given === null) return undefined;
  try {
    if (Array.isArray(given)) return given.map(shownValue);
    if (Symbol.iterator in given) return undefined;
    return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, shownValue(value)]));
  } catch {
    // A proxy or a getter has thrown. The call itself reports that to the caller.
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
