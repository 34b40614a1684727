"use strict";
require("reflect-metadata");
const { DataSource, EntitySchema } = require("typeorm");

const Author = new EntitySchema({
  name: "author",
  columns: {
    id: { type: Number, primary: true, generated: true },
    name: { type: String, unique: true },
    born: { type: Date },
    alive: { type: Boolean, default: true },
    extra: { type: "simple-json", nullable: true },
  },
  relations: { books: { type: "one-to-many", target: "book", inverseSide: "author", cascade: true } },
});
const Book = new EntitySchema({
  name: "book",
  columns: { id: { type: Number, primary: true, generated: true }, title: { type: String } },
  relations: { author: { type: "many-to-one", target: "author", inverseSide: "books", onDelete: "CASCADE" } },
});

module.exports = async (said) => {
  const source = new DataSource({
    type: "sqlite",
    database: "typeorm.db",
    entities: [Author, Book],
    synchronize: true,
  });
  await source.initialize();
  const authors = source.getRepository(Author);
  const born = new Date(Date.UTC(1812, 1, 7));
  const books = [{ title: "Bleak House" }, { title: "Hard Times" }];
  await authors.save({ name: "Dickens", born, extra: { pen: "Boz" }, books });
  const found = await authors.findOne({ where: { name: "Dickens" }, relations: { books: true } });
  said.found = [
    found.born.getTime() === born.getTime(),
    found.alive,
    found.extra,
    found.books.map(({ title }) => title).toSorted(),
  ];
  said.duplicate = await authors
    .save({ name: "Dickens", born })
    .catch((error) => [error.name, error.code, error.errno]);
  await source
    .transaction(async (manager) => {
      await manager.update(Author, { name: "Dickens" }, { alive: false });
      throw new Error("changed my mind");
    })
    .catch((error) => (said.rolledBack = error.message));
  said.alive = (await authors.findOneByOrFail({ name: "Dickens" })).alive;
  const counted = await source
    .createQueryBuilder(Book, "book")
    .innerJoin("book.author", "author")
    .select("author.name", "name")
    .addSelect("count(*)", "n")
    .groupBy("author.id")
    .getRawMany();
  said.counted = counted;
  await authors.delete({ name: "Dickens" });
  said.cascaded = await source.getRepository(Book).count();
  await source.destroy();
};
