// Models, graphs and transactions of Objection over the client for Knex.
import { createPool } from "@sqlite-aio/core";
import { knexClient } from "@sqlite-aio/core/knex";
import knex from "knex";
import { Model } from "objection";

class Pet extends Model {
  static tableName = "pet";
}
class Person extends Model {
  static tableName = "person";
  static relationMappings = () => ({
    pets: {
      relation: Model.HasManyRelation,
      modelClass: Pet,
      join: { from: "person.id", to: "pet.owner" },
    },
  });
}

const db = knex({ client: knexClient(() => createPool("objection.db")) });
Model.knex(db);
await db.schema
  .createTable("person", (table) => {
    table.increments();
    table.string("name").unique();
  })
  .createTable("pet", (table) => {
    table.increments();
    table.integer("owner").references("person.id");
    table.string("name");
  });

const ada = await Person.query().insertGraph({ name: "Ada", pets: [{ name: "Rex" }, { name: "Tom" }] });
const undone = await Person.transaction(async (trx) => {
  await Person.query(trx).insert({ name: "lost" });
  throw new Error("undone");
}).catch((error) => error.message);
const people = await Person.query().withGraphFetched("pets").orderBy("id");
const unique = await Person.query()
  .insert({ name: "Ada" })
  .catch((error) => error.code);
await Person.query().upsertGraph({ id: ada.id, pets: [{ id: ada.pets[0].id, name: "Max" }] });
const pets = await Pet.query().select("name");
await db.destroy();
console.log(JSON.stringify({ undone, people, unique, pets }));
