import { type Driver, type PrismaUsers, pragmas, type Row, type Session, type Settings } from "../driver.ts";
import { loadPackage } from "../packages.ts";

interface User {
  readonly id: number;
}

interface Users {
  findUnique(query: object): Promise<User | null>;
  findMany(query: object): Promise<readonly User[]>;
  create(query: object): Promise<User>;
  update(query: object): Promise<User>;
  count(query: object): Promise<number>;
}

interface Queries {
  readonly user: Users;
}

interface Client extends Queries {
  $queryRawUnsafe(sql: string, ...values: readonly unknown[]): Promise<Row[]>;
  $transaction<T>(work: (queries: Queries) => Promise<T>): Promise<T>;
  $disconnect(): Promise<void>;
}

interface Prisma {
  readonly PrismaClient: new (options: { adapter: unknown }) => Client;
}

type Adapter = new (options: { url: string }) => unknown;

const SETTINGS: Settings = { synchronous: "FULL", callers: 1 };

export const sqliteAioPrisma: Driver = prismaOn({
  name: "sqlite-aio-prisma",
  title: "@sqlite-aio/core/prisma",
  packages: ["@prisma/client", "@sqlite-aio/core", "better-sqlite3"],
  blocks: false,
  adapter: async () =>
    (await loadPackage<{ PrismaSqliteAio: Adapter }>("@sqlite-aio/core/prisma")).PrismaSqliteAio,
});

export const prismaBetterSqlite3: Driver = prismaOn({
  name: "prisma-better-sqlite3",
  title: "@prisma/adapter-better-sqlite3",
  packages: ["@prisma/client", "@prisma/adapter-better-sqlite3", "better-sqlite3"],
  blocks: true,
  adapter: async () =>
    (await loadPackage<{ PrismaBetterSqlite3: Adapter }>("@prisma/adapter-better-sqlite3"))
      .PrismaBetterSqlite3,
});

function prismaOn({
  adapter,
  ...driver
}: Pick<Driver, "name" | "title" | "packages" | "blocks"> & { adapter: () => Promise<Adapter> }): Driver {
  const connect = async (file: string): Promise<Client> => {
    const { PrismaClient } = await loadPackage<Prisma>("@prisma/client");
    const client = new PrismaClient({ adapter: new (await adapter())({ url: `file:${file}` }) });
    // The pool's commits are on the disk when they are answered. In WAL mode the engine's default does not guarantee
    // that.
    if (driver.blocks)
      for (const pragma of pragmas(SETTINGS)) await client.$queryRawUnsafe(`pragma ${pragma}`);
    return client;
  };
  return {
    ...driver,
    usage: "`PrismaClient` on the adapter with its defaults, WAL and synchronous=FULL with both",
    capabilities: ["get"],
    onlyWhenNamed: true,
    open: async (file) => sessionOn(await connect(file)),
    openPrisma: async (file) => usersOf(await connect(file)),
  };
}

function sessionOn(client: Client): Session {
  return {
    get: async (sql, parameters) => (await client.$queryRawUnsafe(sql, ...parameters))[0],
    close: () => client.$disconnect(),
  };
}

function usersOf(client: Client): PrismaUsers {
  return {
    find: (id) => client.user.findUnique({ where: { id } }),
    findMany: (above, count) => client.user.findMany({ where: { id: { gt: above } }, take: count }),
    create: (email) => client.user.create({ data: { email } }),
    transfer: (from, to) =>
      client.$transaction(async ({ user }) => {
        await user.update({ where: { id: from }, data: { score: { increment: 1 } } });
        await user.update({ where: { id: to }, data: { score: { decrement: 1 } } });
        return await user.count({ where: { id: { in: [from, to] } } });
      }),
    close: () => client.$disconnect(),
  };
}
