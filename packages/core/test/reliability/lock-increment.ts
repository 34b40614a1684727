// Adds one to a counter, over and over: by single statements, by transactions of a pool, or by those of a connection.
import { connect, createPool } from "@sqlite-aio/core";

const [kind, path, times] = process.argv.slice(2) as ["pool" | "connection", string, string];
const timeout = 300_000;
const pragmas = { synchronous: "OFF" };
if (kind === "pool") {
  const pool = await createPool(path, { timeout, acquireTimeout: 0, pragmas });
  await Promise.all(
    Array.from({ length: Number(times) }, (_, i) =>
      i % 10 === 0
        ? pool.transaction(async (tx) => {
            const { n } = (await tx.get<{ n: number }>("SELECT n FROM counter"))!;
            await tx.run("UPDATE counter SET n = ?", [n + 1]);
          })
        : pool.run("UPDATE counter SET n = n + 1"),
    ),
  );
  await pool.close();
} else {
  const db = await connect(path, { timeout, pragmas });
  for (let left = Number(times); left > 0; ) {
    // Nobody else can come in between, since the lock is taken before the counter is read.
    const several = Math.min(left, 25);
    await db.transaction(
      async (tx) => {
        const [[n]] = (await tx.executeFetchall("SELECT n FROM counter")) as [[number]];
        await tx.execute("UPDATE counter SET n = ?", [n + several - 1]);
        await tx.execute("UPDATE counter SET n = n + 1");
      },
      { mode: "immediate" },
    );
    left -= several;
  }
  await db.close();
}
