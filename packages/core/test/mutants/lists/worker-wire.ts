import { mutantsOf } from "../mutant.ts";

const CORE = "/packages/core/test";

/** What both sides speak, SQL as text, and opening. */
export const WORKER_WIRE = mutantsOf("packages/worker/src", "packages/worker/test", [
  {
    file: "wire/control-block.ts",
    what: "a cancelled operation begins",
    find: "  Atomics.store(control.cancelled, slot, 0);\n  return false;",
    replace: "  Atomics.store(control.cancelled, slot, 0);\n  return true;",
    tests: ["wire/control-block"],
  },
  {
    what: "the mark of a cancelled operation stays",
    find: "  Atomics.store(control.cancelled, slot, 0);\n  return false;",
    replace: "  return false;",
    tests: ["wire/control-block", `${CORE}/connection/cancel`],
  },
  {
    what: "numbers do not wrap",
    find: "  return sequence === 0x7fffffff ? 1 : sequence + 1;",
    replace: "  return sequence + 1;",
    tests: ["wire/control-block"],
  },
  {
    what: "the thread begins while it is about to be interrupted",
    find: "  if (Atomics.load(control.words, INTERRUPTING) !== 0) waitWhileInterrupting(control);\n  const slot",
    replace: "  const slot",
    tests: ["wire/control-block"],
  },
  {
    what: "an interrupt meets an operation that is over",
    find: "    if (!isInside(control, sequence)) return;\n",
    replace: "",
    tests: ["wire/control-block"],
  },
  {
    what: "a thread that is to stop begins what is next",
    find: "return Atomics.load(control.words, STOPPED) === 0;",
    replace: "return true;",
    tests: ["wire/control-block", `${CORE}/pool/close`],
  },
  {
    what: "an interrupt keeps the thread waiting",
    find: "    Atomics.sub(control.words, INTERRUPTING, 1);\n",
    replace: "",
    tests: ["wire/control-block"],
  },
  {
    file: "wire/rows/row-encode.ts",
    what: "no bound on the terms of a dictionary",
    find: "      if (number > limit || (r < TERMS_SAMPLE && number > TERMS_SAMPLE / 2)) return undefined;\n",
    replace: "",
    tests: ["wire/wire"],
  },
  {
    what: "unsafe integers become numbers",
    find: 'if (mode === "bigint" || (mode === "auto" && !isSafe(value))) return undefined;',
    replace: 'if (mode === "bigint") return undefined;',
    tests: ["wire/wire"],
  },
  {
    file: "wire/rows/row-check.ts",
    what: "texts may end behind the bytes that there are",
    find: "  return end === length;",
    replace: "  return true;",
    tests: ["wire/malformed"],
  },
  {
    what: "an index may name no term",
    find: "  for (let r = 0; r < rows; r++) if (indexes[r]! >= terms) return false;\n",
    replace: "",
    tests: ["wire/malformed"],
  },
  {
    file: "wire/reply-check.ts",
    what: "an answer may end behind its reply",
    find: '  if (!(end <= reply.length)) throw malformed("an answer");',
    replace: "",
    tests: [`${CORE}/reliability/wire`, "wire/malformed"],
  },
  {
    file: "sql/parameters.ts",
    what: "no bound on the number of a parameter",
    find: "if (index >= 1 && index <= MAX_INDEX) {",
    replace: "if (index >= 1 && index <= 1e7) {",
    tests: ["sql/parameters"],
  },
  {
    what: "a name counts as often as it stands in the text",
    find: "        seen.add(name);\n",
    replace: "",
    tests: ["sql/parameters"],
  },
  {
    file: "sql/script.ts",
    what: "a trigger ends at its first semicolon",
    find: "end = isTrigger(sql, at) ? triggerEnd(sql, at) : statementEnd(sql, at);",
    replace: "end = statementEnd(sql, at);",
    tests: ["sql/script"],
  },
  {
    file: "engine/opening.ts",
    what: "a lock at opening is waited for without end",
    find: "if (!LOCK_CODES.has(codeOf(error)) || performance.now() > deadline) throw error;",
    replace: "if (!LOCK_CODES.has(codeOf(error))) throw error;",
    tests: [`${CORE}/connection/locks`],
  },
  {
    what: "an image is not looked at",
    find: "  if (options.image !== null) checkImage(db);\n",
    replace: "",
    tests: [`${CORE}/connection/backup`],
  },
  {
    file: "wire/rows/block-slots.ts",
    what: "a slot is written to while its rows are read",
    find: "    if (at >= 0) Atomics.store(this.#taken, at, 1);\n",
    replace: "",
    tests: ["wire/block-slots", `${CORE}/connection/large-results`],
  },
  {
    file: "handle/reply-writer.ts",
    what: "the slots of answers that are taken back stay taken",
    find: "      this.#slots!.giveBack(this.#slotsUsed.pop()!.slot);",
    replace: "      this.#slotsUsed.pop();",
    tests: ["wire/block-slots"],
  },
  {
    what: "columns that the companion has described once are not sent again",
    find: "statement.columnsSent === known) continue;",
    replace: "statement.columnsSent !== null) continue;",
    tests: [`${CORE}/connection/cursor`],
  },
  {
    what: "rows of the engine's own functions count as rows with their columns",
    find: "if (columns === null) return true;",
    replace: "if (columns === undefined) return true;",
    tests: [`${CORE}/connection/cursor`],
  },
]);
