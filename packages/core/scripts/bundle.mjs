import { fileURLToPath } from "node:url";
import { bundlePackage } from "../../../scripts/bundle-package.mjs";

await bundlePackage(
  fileURLToPath(new URL("..", import.meta.url)),
  {
    index: "index",
    diagnostics: "diagnostics",
    drizzle: "integrations/drizzle/index",
    knex: "integrations/knex/index",
    kysely: "integrations/kysely/index",
    prisma: "integrations/prisma/index",
    typeorm: "integrations/typeorm/index",
    electron: "electron/index",
    "electron-preload": "electron/preload",
  },
  // The wire between the two sides is bundled: nothing else loads it.
  {
    inline: /^@sqlite-aio\/worker\/(wire|sql)$/,
    live: { index: { names: ["sqliteVersion", "sqliteVersionInfo"], follow: "followSqliteVersion" } },
    both: ["drizzle"],
    esmOnly: ["kysely"],
    stripInternal: true,
  },
);
