/* Sets of tables, and of the changed rows in each. */
#ifndef SQLITE_AIO_TABLES_H
#define SQLITE_AIO_TABLES_H
#include "platform.h"

typedef struct Table Table;
struct Table {
  Table *next;
  const char *name;
  sqlite3_int64 *rowids; /* in the order of the changes; `room` / 2 places */
  uint32_t *index;       /* open addressing; `room` places; 1 + position in rowids, or 0 */
  uint32_t count, room;
  int unknown;           /* more rows than the limit, so there is no list */
  int versioned;         /* `version` was read */
  unsigned version;      /* of the database's content when its transaction began to commit */
  char database[];       /* followed by the name */
};

void free_rowids(Table *t);
void free_tables(Table **list);
/* The place of the table in the list, or the list's end. */
Table **place_of(Table **list, const char *database, const char *name);
/* The table in the list; it is added if missing. NULL if there is no memory. */
Table *table_in(Table **list, const char *database, const char *name);
/* Drops the list of rows: from now on it is unknown which ones changed. */
void forget_rowids(Table *t);
void add_rowid(Table *t, sqlite3_int64 rowid, uint32_t limit);

#endif
