import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { Database } from "./better-sqlite3.js";

const POLL_MS = 0.1;

const database = new Database(workerData.file);
for (const pragma of workerData.pragmas) database.pragma(pragma);
const begin = database.prepare("BEGIN");
const commit = database.prepare("COMMIT");
const statements = [];
/** How many messages each side has announced after posting them: [main, thread]. */
const posted = new Int32Array(workerData.posted);
let received = 0;

parentPort.on("message", (message) => {
  handle(message);
  let deadline = performance.now() + POLL_MS;
  while (performance.now() < deadline) {
    if (Atomics.load(posted, 0) <= received) continue;
    handle(receiveMessageOnPort(parentPort).message);
    deadline = performance.now() + POLL_MS;
  }
});

function handle(message) {
  received++;
  if (typeof message === "string") prepare(message);
  else answer(message);
}

function post(message) {
  workerData.answers.postMessage(message);
  Atomics.add(posted, 1, 1);
}

function prepare(sql) {
  const statement = database.prepare(sql).raw();
  statements.push(statement);
  post(statement.columns().map(({ name }) => name));
}

/** Frame: [statement, parameter count, ...parameters, statement, ...]; reply: [found, ...columns, found, ...]. */
function answer(frame) {
  const reply = [];
  const shared = frame.length > 3;
  if (shared) begin.run();
  for (let at = 0; at < frame.length; ) {
    const statement = statements[frame[at++]];
    const count = frame[at++];
    const row = count === 1 ? statement.get(frame[at]) : statement.get(...frame.slice(at, at + count));
    at += count;
    if (row === undefined) reply.push(0);
    else {
      reply.push(1);
      for (let column = 0; column < row.length; column++) reply.push(row[column]);
    }
  }
  if (shared) commit.run();
  post(reply);
}
