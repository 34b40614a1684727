// Runs under a limit on the size of files, so that a commit of 3 MB fails after SQLite has called the commit hook.
import { codeOf, native, open } from "./engine.ts";

const [path = "", mode = ""] = process.argv.slice(2);
const { db, token } = open(path);
db.pragma(`journal_mode = ${mode}`);
db.exec("create table small (id integer primary key); create table big (a)");
native.trackChanges(token, true);
const small = db.prepare("insert into small values (?)");
const big = db.prepare("insert into big values (zeroblob(3000000))");

const outcome = (...steps: (() => unknown)[]) => [
  ...steps.map((step) => codeOf(step)),
  native.takeChanges(token)?.map(({ table, rowids }) => `${table} ${rowids?.join()}`),
];
const results = [
  outcome(() => big.run()),
  outcome(
    () => small.run(1),
    () => big.run(),
  ),
  outcome(() =>
    db.exec("begin; insert into small values (2); insert into big values (zeroblob(3000000)); commit"),
  ),
  outcome(
    () => small.run(3),
    () => small.run(3),
  ),
  outcome(
    () => db.exec("insert into small values (4)"),
    () => db.exec("insert into small values (4)"),
    () => db.exec("begin; insert into small values (5)"),
    () => db.exec("rollback"),
  ),
];
console.log(JSON.stringify(results));
