const WIDTH = 110;
const DIGITS = 6;

/** JSON in the repository's format: lists that fit on a line stay on one, and figures have no meaningless digits. */
export function toJson(value: unknown): string {
  return `${written(value, 0, 0)}\n`;
}

function written(value: unknown, depth: number, taken: number): string {
  if (typeof value === "number" && !Number.isInteger(value))
    return JSON.stringify(Number(value.toPrecision(DIGITS)));
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = "  ".repeat(depth + 1);
  const outer = "  ".repeat(depth);
  if (Array.isArray(value)) {
    const items = value.map((item) => written(item, depth + 1, 0));
    const line = `[${items.join(", ")}]`;
    const fits = taken + 2 * depth + line.length < WIDTH && !value.some((item) => typeof item === "object");
    return fits || items.length === 0 ? line : `[\n${inner}${items.join(`,\n${inner}`)}\n${outer}]`;
  }
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([name, member]) => {
      const key = `${JSON.stringify(name)}: `;
      return key + written(member, depth + 1, key.length);
    });
  return members.length === 0 ? "{}" : `{\n${inner}${members.join(`,\n${inner}`)}\n${outer}}`;
}
