/** The adapter's name in Prisma's messages. */
export const ADAPTER = "@sqlite-aio/core/prisma";
