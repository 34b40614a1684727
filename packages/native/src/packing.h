/*
 * Rows as one block of columns, a packet. It begins with int32: the number of rows, FLAG_* bits, the number of columns,
 * 0; then six a column:
 *
 *   KIND_* | nullable << 8 | wide << 9, offset of the cells, offset of the text, its units, offset of the blobs,
 *   their bytes
 *
 * Offsets count 8 bytes, from the start of the block. A text is in Latin-1, or in UTF-16 where `wide`, all texts of a
 * column one behind the other; so are the blobs. Cells by kind:
 */
#ifndef SQLITE_AIO_PACKING_H
#define SQLITE_AIO_PACKING_H
#include "statements.h"
#include "text.h"

enum {
  KIND_NULL = 0,  /* none: all are NULL */
  KIND_INT32 = 1, /* int32, INT32_MIN is NULL where nullable */
  KIND_FLOAT = 2, /* double, NaN is NULL where nullable: SQLite stores none */
  KIND_TEXT = 3,  /* int32 lengths in units, -1 is NULL */
  KIND_TERMS = 4, /* uint16, 1 + the number of a term, 0 is NULL; the blobs are the int32 lengths of the terms */
  KIND_INT64 = 5, /* int64; where nullable a byte a row follows, 1 is NULL */
  KIND_BLOB = 6,  /* int32 lengths in bytes, -1 is NULL */
  KIND_MIXED = 7  /* 8 bytes: a double, int64 or int64 length; a byte a row follows, a TAG_* */
};
enum { TAG_NULL = 0, TAG_NUMBER = 1, TAG_INT64 = 2, TAG_TEXT = 3, TAG_BLOB = 4 };
enum { HEAD_WORDS = 4, COLUMN_WORDS = 6 };

enum {
  FLAG_END = 1,       /* these were the last rows */
  FLAG_REPREPARED = 2 /* the columns may have other names than before */
};

/* How INTEGER values are to be read: as numbers where they are safe, all as int64, all as numbers. */
enum { MODE_AUTO = 0, MODE_BIGINT = 1, MODE_NUMBER = 2 };

/* Rows that are being packed, in memory that the handle keeps. */
struct Scratch {
  struct PackedColumn *columns;
  int column_room;
  int column_count;
  uint32_t rows, row_room;
};

/* Makes ready for up to `rows` rows of the statement. False without memory. */
int begin_packet(Handle *h, Statement *s, uint32_t rows, int mode);
/* Adds the row that the statement is at. Gives roughly its bytes, -1 without memory. */
int64_t pack_row(const Handle *h, Statement *s, int mode);
/* The packet as an ArrayBuffer, or null where it fits into the `room` bytes at `into` and was written there; NULL if it
   has thrown. */
napi_value take_packet(napi_env env, Handle *h, Statement *s, int flags, uint8_t *into, size_t room);
void free_scratch(Handle *h);

#endif
