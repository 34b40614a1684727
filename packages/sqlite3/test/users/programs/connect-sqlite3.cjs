"use strict";
const session = require("express-session");

module.exports = async (said) => {
  const SQLiteStore = require("connect-sqlite3")(session);
  const store = new SQLiteStore({ db: "sessions.db", dir: "." });
  await new Promise((resolve) => store.client.once("connect", resolve));
  const call = (name, ...given) =>
    new Promise((resolve, reject) =>
      store[name](...given, (error, value) => (error ? reject(error) : resolve(value))),
    );
  const cookie = { maxAge: 60_000, originalMaxAge: 60_000 };
  await call("set", "one", { cookie, user: "Ann" });
  await call("set", "two", { cookie, user: "Bob" });
  said.got = (await call("get", "one")).user;
  said.length = await call("length");
  await call("destroy", "one");
  said.gone = (await call("get", "one")) ?? null;
  await call("clear");
  said.left = await call("length");
};
