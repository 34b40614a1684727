"use strict";
const { EntitySchema, MikroORM } = require("@mikro-orm/sqlite");

const Tag = new EntitySchema({
  name: "Tag",
  properties: { id: { type: "number", primary: true }, name: { type: "string", unique: true } },
});
const Post = new EntitySchema({
  name: "Post",
  properties: {
    id: { type: "number", primary: true },
    title: { type: "string" },
    written: { type: "Date" },
    tags: { kind: "m:n", entity: "Tag" },
  },
});

module.exports = async (said) => {
  const orm = await MikroORM.init({ dbName: "mikro.db", entities: [Post, Tag], allowGlobalContext: true });
  await orm.schema.createSchema();
  const em = orm.em.fork();
  const written = new Date(Date.UTC(2024, 0, 2));
  const post = em.create("Post", { title: "first", written });
  post.tags.add(em.create("Tag", { name: "a" }), em.create("Tag", { name: "b" }));
  await em.flush();
  const found = await orm.em.fork().findOneOrFail("Post", { title: "first" }, { populate: ["tags"] });
  said.found = [found.written.getTime() === written.getTime(), found.tags.getItems().map(({ name }) => name)];
  said.duplicate = await orm.em
    .fork()
    .insert("Tag", { name: "a" })
    .catch((error) => error.name);
  said.rolledBack = await orm.em
    .fork()
    .transactional(async (tx) => {
      await tx.nativeDelete("Post", {});
      throw new Error("changed my mind");
    })
    .catch((error) => error.message);
  said.count = await orm.em.fork().count("Post");
  await orm.close(true);
};
