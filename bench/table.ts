export type Cells = readonly string[];

/** The first `texts` columns are words and aligned left; the others are figures and aligned right. */
export function table(head: Cells, rows: readonly Cells[], texts = 1): string {
  const width = head.map((cell, column) =>
    Math.max(cell.length, 3, ...rows.map((row) => (row[column] ?? "").length)),
  );
  const line = (cells: Cells): string =>
    `| ${width.map((size, column) => (column < texts ? (cells[column] ?? "").padEnd(size) : (cells[column] ?? "").padStart(size))).join(" | ")} |`;
  const rule = `| ${width.map((size, column) => (column < texts ? "-".repeat(size) : `${"-".repeat(size - 1)}:`)).join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}
