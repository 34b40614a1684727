// Users, accounts and sessions of Auth.js, whose adapter for Drizzle is over the driver for Drizzle.
import { Auth } from "@auth/core";
import { DrizzleAdapter } from "@auth/drizzle-adapter";
import { createPool } from "@sqlite-aio/core";
import { drizzle } from "@sqlite-aio/core/drizzle";

const pool = await createPool("auth-js.db");
await pool.exec(`
  CREATE TABLE user (id TEXT PRIMARY KEY, name TEXT, email TEXT UNIQUE, emailVerified INTEGER, image TEXT);
  CREATE TABLE account (
    userId TEXT NOT NULL REFERENCES user ON DELETE CASCADE, type TEXT NOT NULL, provider TEXT NOT NULL,
    providerAccountId TEXT NOT NULL, refresh_token TEXT, access_token TEXT, expires_at INTEGER, token_type TEXT,
    scope TEXT, id_token TEXT, session_state TEXT, PRIMARY KEY (provider, providerAccountId)
  );
  CREATE TABLE session (
    sessionToken TEXT PRIMARY KEY, userId TEXT NOT NULL REFERENCES user ON DELETE CASCADE, expires INTEGER NOT NULL
  );
  CREATE TABLE verificationToken (
    identifier TEXT NOT NULL, token TEXT NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (identifier, token)
  );
`);
const adapter = DrizzleAdapter(drizzle(pool));
const user = await adapter.createUser({ email: "ada@example.com", name: "Ada", emailVerified: null });
const account = { provider: "github", providerAccountId: "1" };
await adapter.linkAccount({ userId: user.id, type: "oauth", ...account });
const expires = new Date(Date.now() + 60_000);
await adapter.createSession({ sessionToken: "token", userId: user.id, expires });

const request = new Request("http://localhost/auth/session", {
  headers: { cookie: "authjs.session-token=token" },
});
const response = await Auth(request, {
  adapter,
  basePath: "/auth",
  providers: [],
  secret: "secret",
  session: { strategy: "database" },
  trustHost: true,
});
const session = await response.json();
const found = await adapter.getUserByAccount(account);
const token = { identifier: "ada", token: "once" };
await adapter.createVerificationToken({ ...token, expires });
const uses = await Promise.all([adapter.useVerificationToken(token), adapter.useVerificationToken(token)]);
await adapter.deleteUser(user.id);
const { n: left } = await pool.get(
  "SELECT (SELECT count(*) FROM account) + (SELECT count(*) FROM session) AS n",
);
await pool.close();
const used = uses.filter((one) => one !== null && one !== undefined).length;
console.log(JSON.stringify({ session: session.user.name, found: found.name, used, left }));
