#include "tables.h"

void free_rowids(Table *t) {
  free(t->rowids);
  free(t->index);
  t->rowids = NULL;
  t->index = NULL;
  t->count = t->room = 0;
}

void free_tables(Table **list) {
  while (*list) {
    Table *t = *list;
    *list = t->next;
    free_rowids(t);
    free(t);
  }
}

Table **place_of(Table **list, const char *database, const char *name) {
  while (*list && (strcmp((*list)->name, name) != 0 || strcmp((*list)->database, database) != 0)) list = &(*list)->next;
  return list;
}

Table *table_in(Table **list, const char *database, const char *name) {
  Table **place = place_of(list, database, name);
  if (!*place) {
    size_t head = strlen(database) + 1, tail = strlen(name) + 1;
    Table *t = calloc(1, sizeof *t + head + tail);
    if (!t) return NULL;
    memcpy(t->database, database, head);
    memcpy(t->database + head, name, tail);
    t->name = t->database + head;
    *place = t;
  }
  return *place;
}

static uint32_t place_of_rowid(const Table *t, sqlite3_int64 rowid) {
  uint32_t at = (uint32_t)(((uint64_t)rowid * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (t->room - 1);
  while (t->index[at] && t->rowids[t->index[at] - 1] != rowid) at = (at + 1) & (t->room - 1);
  return at;
}

static int grow(Table *t) {
  uint32_t room = t->room ? t->room * 2 : 16;
  sqlite3_int64 *rowids = realloc(t->rowids, room / 2 * sizeof *rowids);
  if (!rowids) return 0;
  t->rowids = rowids;
  uint32_t *index = calloc(room, sizeof *index);
  if (!index) return 0;
  free(t->index);
  t->index = index;
  t->room = room;
  for (uint32_t i = 0; i < t->count; i++) index[place_of_rowid(t, t->rowids[i])] = i + 1;
  return 1;
}

void forget_rowids(Table *t) {
  free_rowids(t);
  t->unknown = 1;
}

void add_rowid(Table *t, sqlite3_int64 rowid, uint32_t limit) {
  if (t->unknown) return;
  if (t->count && t->rowids[t->count - 1] == rowid) return;
  if (t->count) {
    if (t->index[place_of_rowid(t, rowid)]) return;
  }
  if (t->count >= limit || (t->count * 2 >= t->room && !grow(t))) {
    forget_rowids(t);
    return;
  }
  uint32_t at = place_of_rowid(t, rowid);
  t->rowids[t->count++] = rowid;
  t->index[at] = t->count;
}
