"use strict";
const { AsyncDatabase } = require("promised-sqlite3");

module.exports = async (said) => {
  const db = await AsyncDatabase.open("./promised.db");
  await db.exec("CREATE TABLE t (a)");
  const { lastID, changes } = await db.run("INSERT INTO t VALUES (?)", 5);
  said.ran = [lastID, changes];
  said.all = await db.all("SELECT a FROM t");
  const statement = await db.prepare("SELECT a + ? AS b FROM t");
  said.got = await statement.get(1);
  await statement.finalize();
  said.each = await db.each("SELECT a FROM t", [], () => {});
  said.error = await db.exec("SELEKT").catch(({ code }) => code);
  await db.close();
};
