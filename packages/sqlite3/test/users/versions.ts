/** The tested versions, which the package's README also names. */
export const versions = {
  typeorm: "0.3.31",
  "reflect-metadata": "0.2.2",
  sequelize: "6.37.8",
  knex: "3.3.0",
  sqlite: "5.1.1",
  "connect-sqlite3": "0.9.18",
  "express-session": "1.19.0",
  keyv: "5.6.0",
  "@keyv/sqlite": "4.0.8",
  "promised-sqlite3": "2.1.0",
  "@mikro-orm/core": "6.6.16",
  "@mikro-orm/sqlite": "6.6.16",
} as const;
