/* Sets of tables, and of the rows that changed in each. */
#ifndef SQLITE_AIO_TABLES_H
#define SQLITE_AIO_TABLES_H
#include "platform.h"

typedef struct Table Table;
struct Table {
  Table *next;
  const char *name;
  sqlite3_int64 *rowids; /* in the order of the changes, room / 2 of them */
  uint32_t *index;       /* open addressing, `room` places, 1 + position in rowids or 0 */
  uint32_t count, room;
  int unknown;           /* more rows than the limit: no list */
  int versioned;         /* `version` was read */
  unsigned version;      /* of the database's content, when its transaction began to commit */
  char database[];       /* followed by the name */
};

void free_rowids(Table *t);
void free_tables(Table **list);
/* The place of the table in the list, or the end of the list. */
Table **place_of(Table **list, const char *database, const char *name);
/* The table of the list, which it is added to if it must be; NULL without memory. */
Table *table_in(Table **list, const char *database, const char *name);
/* From now on it is not known which rows changed. */
void forget_rowids(Table *t);
void add_rowid(Table *t, sqlite3_int64 rowid, uint32_t limit);

#endif
