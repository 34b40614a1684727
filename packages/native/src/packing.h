/*
 * A packet: rows as one block of columns. The block begins with four int32: the number of rows, FLAG_* bits, the number
 * of columns, and 0. Then come six int32 per column:
 *
 *   KIND_* | nullable << 8 | wide << 9, offset of the cells, offset of the text, its length in units, offset of the
 *   blobs, their length in bytes
 *
 * Offsets count 8 bytes from the start of the block. All texts of a column are joined, in UTF-16 if `wide` is set, else
 * in Latin-1. All blobs of a column are joined too. The cells of each kind:
 */
#ifndef SQLITE_AIO_PACKING_H
#define SQLITE_AIO_PACKING_H
#include "statements.h"
#include "text.h"

enum {
  KIND_NULL = 0,  /* no cells: all values are NULL */
  KIND_INT32 = 1, /* int32; if nullable, INT32_MIN is NULL */
  KIND_FLOAT = 2, /* double; if nullable, NaN is NULL, because SQLite stores no NaN */
  KIND_TEXT = 3,  /* int32 lengths in units; -1 is NULL */
  KIND_TERMS = 4, /* uint16: 1 + the number of a term; 0 is NULL; the blobs are the int32 lengths of the terms */
  KIND_INT64 = 5, /* int64; if nullable, a byte per row follows: 1 is NULL */
  KIND_BLOB = 6,  /* int32 lengths in bytes; -1 is NULL */
  KIND_MIXED = 7  /* 8 bytes: a double, an int64 or an int64 length; a TAG_* per row follows, a byte each */
};
enum { TAG_NULL = 0, TAG_NUMBER = 1, TAG_INT64 = 2, TAG_TEXT = 3, TAG_BLOB = 4 };
enum { HEAD_WORDS = 4, COLUMN_WORDS = 6 };

enum {
  FLAG_END = 1,       /* these were the last rows */
  FLAG_REPREPARED = 2 /* the names of the columns may have changed */
};

/* How values are read. INTEGER: safe ones as numbers and others as int64, all as int64, all as numbers. With
   MODE_RAW_TEXT in addition, each byte of a text's UTF-8 becomes a character of Latin-1. */
enum { MODE_AUTO = 0, MODE_BIGINT = 1, MODE_NUMBER = 2, MODE_INTEGERS = 3, MODE_RAW_TEXT = 4 };

/* Whether `mode` is one of them. */
int is_mode(double mode);

/* The memory in which a handle packs rows. It is kept between packets. */
struct Scratch {
  struct PackedColumn *columns;
  int column_room;
  int column_count;
  uint32_t rows, row_room;
};

/* Prepares for up to `rows` rows of the statement. False if there is no memory. */
int begin_packet(Handle *h, Statement *s, uint32_t rows, int mode);
/* Adds the current row of the statement. Returns its approximate size in bytes, or -1 if there is no memory. */
int64_t pack_row(const Handle *h, Statement *s, int mode);
/* The packet as an ArrayBuffer. JavaScript's null if it fits into the `room` bytes at `into`, where it is written then.
   NULL after throwing. */
napi_value take_packet(napi_env env, Handle *h, Statement *s, int flags, uint8_t *into, size_t room);
void free_scratch(Handle *h);

#endif
