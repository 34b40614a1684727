// Users and sessions of better-auth over the dialect for Kysely.
import { createPool } from "@sqlite-aio/core";
import { SqliteAioDialect } from "@sqlite-aio/core/kysely";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { Kysely } from "kysely";

const pool = await createPool("better-auth.db");
const db = new Kysely({ dialect: new SqliteAioDialect({ pool }) });
const auth = betterAuth({
  baseURL: "http://localhost:3000",
  secret: "a secret of more than thirty-two characters",
  database: { db, type: "sqlite", transaction: true },
  emailAndPassword: { enabled: true },
  logger: { disabled: true },
  telemetry: { enabled: false },
});
const { runMigrations } = await getMigrations(auth.options);
await runMigrations();

const ada = { email: "ada@example.com", password: "correct horse", name: "Ada" };
await auth.api.signUpEmail({ body: ada });
const twice = await auth.api.signUpEmail({ body: ada }).catch((error) => error.status);
const { headers } = await auth.api.signInEmail({ body: ada, returnHeaders: true });
const cookie = headers.get("set-cookie").split(";")[0];
const session = await auth.api.getSession({ headers: new Headers({ cookie }) });
const wrong = await auth.api
  .signInEmail({ body: { ...ada, password: "wrong" } })
  .catch((error) => error.status);
await auth.api.signOut({ headers: new Headers({ cookie }) });
const after = await auth.api.getSession({ headers: new Headers({ cookie }) });
const { n: users } = await pool.get("SELECT count(*) AS n FROM user");
await db.destroy();
console.log(JSON.stringify({ session: session.user.name, twice, wrong, after, users }));
