import { inspect, type InspectOptionsStylized } from "node:util";

/** What `console.log()` shows of an object: its class and its state, without its internals. */
export function inspected(
  of: object,
  shown: Readonly<Record<string, unknown>>,
  depth: number,
  options: InspectOptionsStylized,
): string {
  const { name } = of.constructor;
  return depth < 0 ? options.stylize(`[${name}]`, "special") : `${name} ${inspect(shown, options)}`;
}
