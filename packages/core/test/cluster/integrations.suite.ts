import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterPool } from "@sqlite-aio/core";
import { drizzle, migrate } from "@sqlite-aio/core/drizzle";
import { knexClient } from "@sqlite-aio/core/knex";
import { SqliteAioDialect } from "@sqlite-aio/core/kysely";
import { eq } from "drizzle-orm";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import knex from "knex";
import { type Generated, Kysely } from "kysely";
import { Migrator } from "kysely/migration";
import { describe, expect, it, onTestFinished } from "vitest";
import { rejection, temporaryFolder } from "../support/database.ts";
import { openRemote, openReplica } from "./open.ts";
import { Server } from "./server.ts";

const KINDS = [
  { kind: "a replica", open: (server: Server): Promise<ClusterPool> => openReplica(server) },
  { kind: "no replica", open: (server: Server): Promise<ClusterPool> => openRemote(server) },
] as const;

interface Database {
  person: { id: Generated<number>; name: string };
}

function kyselyOver(pool: ClusterPool): Kysely<Database> {
  return new Kysely<Database>({ dialect: new SqliteAioDialect({ pool }) });
}

const person = sqliteTable("person", { id: integer().primaryKey(), name: text().notNull().unique() });

describe.each(KINDS)("over a pool with $kind", ({ open }) => {
  it("Kysely reads and writes, commits and rolls back", async () => {
    const db = kyselyOver(await open(await Server.start()));
    await db.schema
      .createTable("person")
      .addColumn("id", "integer", (column) => column.primaryKey())
      .addColumn("name", "text", (column) => column.notNull().unique())
      .execute();
    const inserted = await db.insertInto("person").values({ name: "Ada" }).executeTakeFirstOrThrow();
    expect(inserted.insertId).toBe(1n);
    const bob = await db
      .insertInto("person")
      .values({ name: "Bob" })
      .returningAll()
      .executeTakeFirstOrThrow();
    expect(bob).toEqual({ id: 2, name: "Bob" });
    const updated = await db
      .updateTable("person")
      .set({ name: "Eve" })
      .where("id", "=", 2)
      .executeTakeFirst();
    expect(updated.numUpdatedRows).toBe(1n);

    await db.transaction().execute(async (tx) => {
      await tx.insertInto("person").values({ name: "Cid" }).execute();
      expect(await tx.selectFrom("person").select("name").where("id", "=", 3).execute()).toEqual([
        { name: "Cid" },
      ]);
    });
    const no = new Error("no");
    const failed = db.transaction().execute(async (tx) => {
      await tx.deleteFrom("person").execute();
      throw no;
    });
    expect(await rejection(failed)).toBe(no);
    const names = await db.selectFrom("person").select("name").orderBy("id").execute();
    expect(names.map(({ name }) => name)).toEqual(["Ada", "Eve", "Cid"]);
    const streamed: string[] = [];
    for await (const { name } of db.selectFrom("person").select("name").stream(2)) streamed.push(name);
    expect(streamed).toHaveLength(3);
    expect(
      await db
        .transaction()
        .setAccessMode("read only")
        .execute((tx) => tx.selectFrom("person").select("id").execute()),
    ).toHaveLength(3);
    expect((await db.introspection.getTables()).map(({ name }) => name)).toContain("person");
  });

  it("Kysely migrates once, however many machines do it at a time", async () => {
    const server = await Server.start();
    const runs: string[] = [];
    const migrator = (pool: ClusterPool): Migrator =>
      new Migrator({
        db: kyselyOver(pool),
        provider: {
          getMigrations: async () => ({
            first: {
              up: async (db) => {
                runs.push("first");
                await db.schema.createTable("person").addColumn("id", "integer").execute();
              },
            },
          }),
        },
      });
    const machines = [await open(server), await open(server), await open(server)];
    const outcomes = await Promise.all(machines.map((pool) => migrator(pool).migrateToLatest()));
    expect(outcomes.map(({ error }) => error)).toEqual([undefined, undefined, undefined]);
    expect(runs).toEqual(["first"]);
  });

  it("Drizzle migrates, reads and writes, commits and rolls back, and runs batches", async () => {
    const pool = await open(await Server.start());
    const db = drizzle(pool, { schema: { person } });
    const folder = await temporaryFolder();
    await mkdir(join(folder, "meta"));
    const entries = [{ idx: 0, version: "6", when: 1, tag: "0000_first", breakpoints: true }];
    await writeFile(
      join(folder, "meta/_journal.json"),
      JSON.stringify({ version: "7", dialect: "sqlite", entries }),
    );
    await writeFile(
      join(folder, "0000_first.sql"),
      "CREATE TABLE person (id integer PRIMARY KEY, name text NOT NULL UNIQUE);--> statement-breakpoint\nINSERT INTO person VALUES (7, 'first');",
    );
    await migrate(db, { migrationsFolder: folder });
    await migrate(db, { migrationsFolder: folder });
    expect(await db.select().from(person)).toEqual([{ id: 7, name: "first" }]);

    expect(await db.insert(person).values({ name: "Ada" }).returning()).toEqual([{ id: 8, name: "Ada" }]);
    await db.transaction(async (tx) => {
      await tx.insert(person).values({ name: "Bob" });
      await rejection(
        tx.transaction(async (inner) => {
          await inner.delete(person);
          throw new Error("no");
        }),
      );
      expect(await tx.select().from(person)).toHaveLength(3);
    });
    await rejection(
      db.transaction(async (tx) => {
        await tx.delete(person);
        tx.rollback();
      }),
    );
    const [, found] = await db.batch([
      db.update(person).set({ name: "Eve" }).where(eq(person.id, 8)),
      db.select().from(person).orderBy(person.id),
    ]);
    expect(found.map(({ name }) => name)).toEqual(["first", "Eve", "Bob"]);
    expect(await db.query.person.findFirst({ where: eq(person.id, 8) })).toEqual({ id: 8, name: "Eve" });
  });

  it("Knex migrates, reads and writes, commits and rolls back", async () => {
    const pool = await open(await Server.start());
    const db = knex({ client: knexClient(pool) });
    onTestFinished(() => db.destroy());
    await db.migrate.latest({
      migrationSource: {
        getMigrations: async () => ["first"],
        getMigrationName: (name: string) => name,
        getMigration: async () => ({
          up: (tx: knex.Knex) =>
            tx.schema.createTable("person", (table) => {
              table.increments("id");
              table.string("name").notNullable().unique();
            }),
          down: async () => {},
        }),
      },
    });
    expect(await db("person").insert({ name: "Ada" })).toEqual([1]);
    await db.transaction(async (tx) => {
      await tx("person").insert({ name: "Bob" });
      expect(await tx("person").select("name").orderBy("id")).toEqual([{ name: "Ada" }, { name: "Bob" }]);
    });
    const no = new Error("no");
    const failed = db.transaction(async (tx) => {
      await tx("person").delete();
      throw no;
    });
    expect(await rejection(failed)).toBe(no);
    expect(await db("person").where("id", ">", 1).first()).toEqual({ id: 2, name: "Bob" });
    expect(await db("person").where("id", 1).update({ name: "Eve" })).toBe(1);
    const count = await db("person").count({ n: "*" });
    expect(count).toEqual([{ n: 2 }]);
  });
});
