"use strict";
const sqlite3 = require("sqlite3");
const { open } = require("sqlite");

module.exports = async (said) => {
  const db = await open({ filename: "sqlite.db", driver: sqlite3.cached.Database });
  await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)");
  const { lastID, changes } = await db.run("INSERT INTO t (a) VALUES (?), (?)", "x", "y");
  said.ran = [lastID, changes];
  said.got = [await db.get("SELECT a FROM t WHERE id = :id", { ":id": 2 }), await db.all("SELECT * FROM t")];
  const rows = [];
  said.count = await db.each("SELECT a FROM t ORDER BY id", (_, { a }) => rows.push(a));
  said.rows = rows;
  const statement = await db.prepare("SELECT a FROM t WHERE id > ?", 0);
  said.steps = [await statement.get(), await statement.get(), (await statement.get()) ?? null];
  await statement.finalize();
  said.error = await db.run("INSERT INTO t (id) VALUES (1)").catch(({ message, errno }) => [message, errno]);
  said.nothing = (await db.get("SELECT 1 WHERE 0")) ?? null;
  await db.close();
};
