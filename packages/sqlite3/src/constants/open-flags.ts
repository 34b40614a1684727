/** Flags of `new Database(filename, mode)`; see https://sqlite.org/c3ref/c_open_autoproxy.html. */
export const OPEN_READONLY: number = 0x1;
export const OPEN_READWRITE: number = 0x2;
export const OPEN_CREATE: number = 0x4;
/** Names that start with `file:` are URIs. */
export const OPEN_URI: number = 0x40;
export const OPEN_FULLMUTEX: number = 0x10000;
/** In-memory databases with the same name are one database. */
export const OPEN_SHAREDCACHE: number = 0x20000;
export const OPEN_PRIVATECACHE: number = 0x40000;
