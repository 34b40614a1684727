// Entities, units of work and schema changes of MikroORM over the dialect for Kysely.
import { EntitySchema, MikroORM, UniqueConstraintViolationException } from "@mikro-orm/core";
import { SqliteDriver } from "@mikro-orm/sql";
import { createPool } from "@sqlite-aio/core";
import { SqliteAioDialect } from "@sqlite-aio/core/kysely";

function schema(type) {
  const id = { type: "number", primary: true };
  const Author = new EntitySchema({
    name: "Author",
    properties: {
      id,
      name: { type: "string", unique: true },
      born: { type, nullable: true },
      books: { kind: "1:m", entity: () => Book, mappedBy: "author" },
    },
  });
  const Book = new EntitySchema({
    name: "Book",
    properties: {
      id,
      title: { type: "string" },
      author: { kind: "m:1", entity: () => Author, deleteRule: "cascade" },
    },
  });
  return { Author, Book };
}

const open = ({ Author, Book }) =>
  MikroORM.init({
    driver: SqliteDriver,
    driverOptions: new SqliteAioDialect({ pool: () => createPool("mikro-orm.db") }),
    dbName: "mikro-orm.db",
    entities: [Author, Book],
  });

const before = schema("number");
const { Author, Book } = before;
let orm = await open(before);
await orm.schema.create();
const em = orm.em.fork();
em.create(Book, { title: "Notes", author: em.create(Author, { name: "Ada" }) });
await em.flush();
const undone = await orm.em
  .fork()
  .transactional(async (tx) => {
    tx.create(Author, { name: "lost" });
    await tx.flush();
    throw new Error("undone");
  })
  .catch((error) => error.message);
await orm.em.fork().transactional(async (tx) => {
  tx.create(Author, { name: "Alan" });
  await tx.flush();
  await tx
    .transactional(async (inner) => {
      inner.create(Author, { name: "inner" });
      await inner.flush();
      throw new Error("undone, too");
    })
    .catch(() => {});
});
const authors = await orm.em.fork().find(Author, {}, { populate: ["books"], orderBy: { id: 1 } });
const twice = orm.em.fork();
twice.create(Author, { name: "Ada" });
const unique = await twice.flush().catch((error) => error instanceof UniqueConstraintViolationException);
// Each sees how many there are before it adds one.
await Promise.all(
  Array.from({ length: 20 }, () =>
    orm.em.fork().transactional(async (tx) => {
      tx.create(Author, { name: `author ${await tx.count(Author)}` });
    }),
  ),
);
const count = await orm.em.fork().count(Author);
await orm.close(true);

// A column of another type: MikroORM rebuilds the table, which needs one connection for all of its statements.
orm = await open(schema("string"));
const refused = await orm.schema.update().catch((error) => error.code);
const sql = await orm.schema.getUpdateSchemaSQL();
const pool = await createPool("mikro-orm.db");
const lease = await pool.acquire();
await lease.executescript(sql);
await lease.close();
const [books] = await pool.all("SELECT count(*) AS n FROM book");
await pool.close();
const changed = (await orm.schema.getUpdateSchemaSQL()) === "";
await orm.close(true);

const found = authors.map(({ name, books: own }) => [name, own.getItems().map(({ title }) => title)]);
console.log(JSON.stringify({ undone, found, unique, count, refused, changed, books: books.n }));
