"use strict";
const { Keyv } = require("keyv");
const { KeyvSqlite } = require("@keyv/sqlite");

module.exports = async (said) => {
  const store = new KeyvSqlite({ uri: "sqlite://keyv.db", busyTimeout: 3000 });
  const keyv = new Keyv({ store, namespace: "app" });
  await keyv.set("a", { deep: [1, 2] });
  await keyv.set("b", "text");
  said.got = [await keyv.get("a"), await keyv.get("b"), (await keyv.get("c")) ?? null];
  said.many = await keyv.get(["a", "b"]);
  said.deleted = [await keyv.delete("a"), await keyv.delete("a")];
  await keyv.clear();
  said.cleared = (await keyv.get("b")) ?? null;
  await keyv.disconnect();
};
