/*
 * A run of small statements in one call. Arrays of JavaScript's would cost more than the statements, so they come as
 * numbers, and so do their results:
 *
 *   input  for each: statement, limit, mode, number of parameters, then a TAG_* and a value each. A limit of 0: it
 *          writes, its rows do not matter; 1: its first row; more: all of its rows, if there are no more than that.
 *          A text (UTF-8) or blob has its length for a value, and its bytes in `bytes`, one behind the other.
 *   cells  POINT_HEAD places, then for each its status, the milliseconds that it took, and two values: POINT_ROWS,
 *          POINT_NEW_ROWS: rows, columns; the cells follow row by row; POINT_WROTE: changes, the last rowid
 *   tags   a TAG_* a cell, for its place in `cells`
 *   text   the bytes of texts and blobs, one behind the other
 *
 * The run ends before an operation that has more rows than that, or whose rows do not fit; at one that fails, where
 * POINT_STEPPED says whether it writes and was begun, so that it must not be run again: the next one is that behind it
 * then, and its failure is not thrown where `text` has room for it: POINT_CODE and POINT_MESSAGE are the lengths of its code's
 * name and of its message, in UTF-8; and behind one at whose end the time is over.
 */
#ifndef SQLITE_AIO_POINTS_H
#define SQLITE_AIO_POINTS_H
#include "statements.h"

enum {
  POINT_DONE = 0,
  POINT_AT = 1,
  POINT_BYTES = 2,
  POINT_STEPPED = 3,
  POINT_CODE = 4,
  POINT_MESSAGE = 5,
  POINT_HEAD = 6
};
enum { POINT_ROWS = 0, POINT_NEW_ROWS = 1, POINT_WROTE = 2 };
/* Where what is of an operation's first cells. */
enum { POINT_STATUS = 0, POINT_MS = 1, POINT_FIRST = 2, POINT_SECOND = 3, POINT_CELLS = 4 };

/* For JavaScript. */
napi_value run_points(napi_env env, napi_callback_info info);

#endif
