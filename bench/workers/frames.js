import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { Database } from "./better-sqlite3.js";

const POLL_MS = 0.1;

const database = new Database(workerData.file);
for (const pragma of workerData.pragmas) database.pragma(pragma);
const statements = [];

parentPort.on("message", (message) => {
  handle(message);
  let deadline = performance.now() + POLL_MS;
  while (performance.now() < deadline) {
    const next = receiveMessageOnPort(parentPort);
    if (!next) continue;
    handle(next.message);
    deadline = performance.now() + POLL_MS;
  }
});

function handle(message) {
  if (typeof message === "string") prepare(message);
  else answer(message);
}

function prepare(sql) {
  const statement = database.prepare(sql).raw();
  statements.push(statement);
  parentPort.postMessage(statement.columns().map(({ name }) => name));
}

/** Frame: [statement, parameter count, ...parameters, statement, ...]; reply: [found, ...columns, found, ...]. */
function answer(frame) {
  const reply = [];
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
  parentPort.postMessage(reply);
}
