/** What Prisma calls the adapter in its messages. */
export const ADAPTER = "@sqlite-aio/core/prisma";
