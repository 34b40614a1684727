// Sessions of Express, kept by connect-session-knex over the client for Knex.
import { createPool } from "@sqlite-aio/core";
import { knexClient } from "@sqlite-aio/core/knex";
import { ConnectSessionKnexStore } from "connect-session-knex";
import { once } from "node:events";
import express from "express";
import session from "express-session";
import knex from "knex";

const db = knex({ client: knexClient(() => createPool("sessions.db")) });
const store = new ConnectSessionKnexStore({ knex: db, cleanupInterval: 0, tableName: "sessions" });
const app = express();
app.use(session({ secret: "secret", resave: false, saveUninitialized: false, store }));
app.get("/", (request, response) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  response.json(request.session.visits);
});
app.get("/out", (request, response) => request.session.destroy(() => response.json("out")));
const server = app.listen(0);
await once(server, "listening");

const url = `http://localhost:${server.address().port}`;
const first = await fetch(url);
const cookie = first.headers.get("set-cookie").split(";")[0];
const visits = [await first.json()];
for (let i = 0; i < 2; i++) visits.push(await (await fetch(url, { headers: { cookie } })).json());
const kept = await store.length();
await fetch(`${url}/out`, { headers: { cookie } });
const left = await store.length();
server.close();
server.closeAllConnections();
await db.destroy();
console.log(JSON.stringify({ visits, kept, left }));
