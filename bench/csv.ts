import { closeSync, openSync, readSync, writeSync } from "node:fs";
import type { Parameters, Row } from "./driver.ts";

const CHUNK = 1 << 16;

/** The rows of a file, one at a time. An empty field is NULL; `numeric` are the columns with numbers. */
export function* readCsv(file: string, numeric: ReadonlySet<number>): Generator<Parameters> {
  const input = openSync(file, "r");
  const buffer = Buffer.alloc(CHUNK);
  try {
    let rest = "";
    for (let bytes = readSync(input, buffer); bytes > 0; bytes = readSync(input, buffer)) {
      // The file is ASCII, so no character is split.
      const lines = (rest + buffer.toString("latin1", 0, bytes)).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines)
        yield line
          .split(",")
          .map((field, at) => (field === "" ? null : numeric.has(at) ? Number(field) : field));
    }
  } finally {
    closeSync(input);
  }
}

/** Writes rows as they come, a chunk at a time. */
export class CsvFile {
  readonly #output: number;
  #text = "";

  constructor(file: string) {
    this.#output = openSync(file, "w");
  }

  add(row: Row): void {
    let line = "";
    for (const name in row) line += line === "" ? `${row[name]}` : `,${row[name] ?? ""}`;
    this.#text += `${line}\n`;
    if (this.#text.length > CHUNK) this.#flush();
  }

  close(): void {
    this.#flush();
    closeSync(this.#output);
  }

  #flush(): void {
    writeSync(this.#output, this.#text, null, "latin1");
    this.#text = "";
  }
}
