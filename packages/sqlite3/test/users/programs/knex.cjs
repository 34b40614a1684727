"use strict";
const { knex } = require("knex");

module.exports = async (said) => {
  const db = knex({ client: "sqlite3", connection: { filename: "knex.db" }, useNullAsDefault: true });
  await db.schema.createTable("user", (table) => {
    table.increments("id");
    table.string("name").unique();
    table.integer("age");
  });
  said.inserted = await db("user").insert({ name: "Ann", age: 41 });
  said.returned = await db("user")
    .insert([{ name: "Bob" }, { name: "Cid", age: 5 }])
    .returning(["id", "name"]);
  said.updated = await db("user")
    .where("age", "<", 100)
    .update({ age: db.raw("age + 1") });
  said.rows = await db("user").select("name", "age").orderBy("name");
  said.duplicate = await db("user")
    .insert({ name: "Ann" })
    .catch((error) => [error.code, error.errno]);
  said.rolledBack = await db
    .transaction(async (trx) => {
      await trx("user").del();
      throw new Error("changed my mind");
    })
    .catch((error) => error.message);
  const streamed = [];
  for await (const row of db("user").orderBy("id").stream()) streamed.push(row.name);
  said.streamed = streamed;
  await db.schema.alterTable("user", (table) => table.dropColumn("age"));
  said.columns = Object.keys(await db("user").columnInfo());
  await db.destroy();
};
