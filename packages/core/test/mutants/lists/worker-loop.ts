import { mutantsOf } from "../mutant.ts";

const CORE = "/packages/core/test";

/** What runs when in the thread. */
export const WORKER_LOOP = mutantsOf("packages/worker/src", "packages/worker/test", [
  {
    file: "loop/scheduler.ts",
    what: "no bound on a group's size",
    find: "    while (group.length < MAX_GROUP) {",
    replace: "    for (;;) {",
    tests: [`${CORE}/pool/bounds`],
  },
  {
    what: "COMMIT is taken for quick",
    find: "operation.fields[0] !== Verb.COMMIT && operation.fields[0] !== Verb.FINISH",
    replace: "operation.fields[0] !== Verb.FINISH",
    tests: [`${CORE}/connection/answers-before`],
  },
  {
    what: "the COMMIT of a transaction() is taken for quick",
    find: "operation.fields[0] !== Verb.COMMIT && operation.fields[0] !== Verb.FINISH",
    replace: "operation.fields[0] !== Verb.COMMIT",
    tests: [`${CORE}/connection/answers-before`],
  },
  {
    what: "a slow operation holds back the answers before it",
    find: "(answered >= this.#share || now - began > SLICE_MS || this.#begun || !isQuick(operation))",
    replace: "(answered >= this.#share || now - began > SLICE_MS || this.#begun)",
    tests: [`${CORE}/connection/answers-before`],
  },
  {
    what: "a read that has been slow is taken for quick",
    find: "      return operation.statement!.quick;",
    replace: "      return true;",
    tests: [`${CORE}/connection/answers-before`],
  },
  {
    what: "no bound on the answers that leave together",
    find: "(answered >= this.#share || now",
    replace: "(now",
    tests: [`${CORE}/pool/modes`, `${CORE}/connection/answers-before`],
    survives:
      "it is for how soon half of a large frame is answered: 250,000 rows by key a second against 165,000",
  },
  {
    what: "operations that are left over lose their place",
    find: "    this.#singles.unshift(...rest);\n    this.#current = null;\n    return true;",
    replace: "    this.#singles.push(...rest);\n    this.#current = null;\n    return true;",
    tests: [`${CORE}/pool/group-commit`],
    survives:
      "a group is begun only where no operation is left over, so that there is no other to stand before",
  },
  {
    what: "an operation that was cancelled before its turn runs",
    find: "      if (operation.skipped || !this.#begin(operation)) {",
    replace: "      this.#begin(operation);\n      if (operation.skipped) {",
    tests: [`${CORE}/connection/cancel`],
  },
  {
    what: "what a failed operation has answered stays in the reply",
    find: "      const traced = session.out.rewind(mark);",
    replace: "      const traced: string[] = [];",
    tests: [`${CORE}/connection/trace-callback`],
  },
  {
    file: "loop/poller.ts",
    what: "the count of pollers leaks",
    find: "    while (!there && performance.now() - began < POLL_MS);\n    Atomics.sub(this.#pollers, 0, 1);",
    replace: "    while (!there && performance.now() - began < POLL_MS);",
    tests: ["loop/poller"],
  },
  {
    what: "the count of pollers leaks where there are enough",
    find: "      Atomics.sub(this.#pollers, 0, 1);\n      return;",
    replace: "      return;",
    tests: ["loop/poller"],
  },
  {
    what: "one thread more than may polls",
    find: "Atomics.add(this.#pollers, 0, 1) >= this.#limit",
    replace: "Atomics.add(this.#pollers, 0, 1) > this.#limit",
    tests: ["loop/poller"],
  },
  {
    what: "a thread polls though that never pays off",
    find: " || !this.#spin.begins()",
    replace: "",
    tests: ["loop/poller"],
  },
  {
    what: "the event loop gets no turn while polling pays off",
    find: "    if (began - this.#turned > TURN_MS) return;\n",
    replace: "",
    tests: ["loop/poller"],
  },
  {
    what: "messages that were polled are not counted",
    find: "    this.#received++;\n    this.#deliver(received.message);",
    replace: "    this.#deliver(received.message);",
    tests: ["loop/poller"],
  },
  {
    file: "loop/group-commit.ts",
    what: "a member that is given up before the COMMIT is kept",
    find: "    if (cancelled) return this.#undo(Undone.STOPPED);",
    replace: "",
    tests: [`${CORE}/pool/group-slow`],
  },
  {
    file: "loop/lone-write.ts",
    what: "without the companion, a write that is given up while it runs is committed",
    find: "    if (ends !== Ends.TELLS) this.#refuseGivenUp(operation);\n",
    replace: "",
    tests: [`${CORE}/pool/without-native`],
  },
  {
    what: "the transaction of a write that is given up goes on with a part of it",
    find: "(own || givenUp)",
    replace: "own",
    tests: [`${CORE}/pool/without-native`],
  },
  {
    what: "rows before a failure are lost where OR FAIL keeps them",
    find: 'own && !givenUp && codeOf(error).startsWith("SQLITE_CONSTRAINT")',
    replace: "own && !givenUp && this.#committing",
    tests: [`${CORE}/pool/without-native`],
  },
  {
    what: "a write counts rows that are undone",
    find: "    if (own && (again || givenUp || this.#committing)) this.#session.counts.undone(this.#total);\n",
    replace: "",
    tests: [`${CORE}/pool/without-native`],
  },
  {
    what: "a change of the schema that fails ends half-read cursors",
    find: "    if (own && !givenUp && !this.#committing && !operation.statement!.facts.writes) this.#endBesideCursors();\n",
    replace: "",
    tests: [`${CORE}/pool/without-native`],
  },
  {
    what: "a write waits for each of its locks for the whole timeout",
    find: "this.#own.commit(operation.sequence, false)",
    replace: "this.#own.commit(operation.sequence, true)",
    tests: [`${CORE}/pool/without-native`],
  },
  {
    file: "handle/executor.ts",
    what: "a write that is done is rejected while its rows are sent",
    find: "    return statement?.readonly === false ? () => false : this.#interrupted;",
    replace: "    return this.#interrupted;",
    tests: [`${CORE}/pool/given-up-write`],
  },
  {
    file: "loop/shared-read.ts",
    what: "reads behind a function's call share its transaction",
    find: "    if (!shares || this.#past) {",
    replace: "    if (!shares) {",
    tests: [`${CORE}/connection/shared-read`],
  },
  {
    what: "members of a read before are run again with those of the next",
    find: "    const members = this.#members;\n    this.#members = [];",
    replace: "    const members = this.#members;",
    tests: [`${CORE}/connection/shared-read`],
  },
  {
    file: "loop/points.ts",
    what: "no bound on the texts of point reads",
    find: "        if (value.length * 3 > INPUT_BYTES - this.#byteAt) return false;\n",
    replace: "",
    tests: [`${CORE}/pool/point-reads`],
  },
  {
    what: "no bound on the blobs of point reads",
    find: "        if (value.byteLength > INPUT_BYTES - this.#byteAt) return false;\n",
    replace: "",
    tests: [`${CORE}/pool/point-reads`],
  },
  {
    file: "loop/frame-reader.ts",
    what: "frames are read last in, first out",
    find: "    this.#frames.push(frame);",
    replace: "    this.#frames.unshift(frame);",
    tests: [`${CORE}/connection/cancel`],
  },
  {
    file: "loop/answer-port.ts",
    what: "an answer that nobody looks for any more is not hinted at",
    find: "    if (bySlot && !slot.looking) this.#port.postMessage(null);\n",
    replace: "",
    tests: [`${CORE}/thread/thread-port`],
  },
]);
