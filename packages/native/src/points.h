/*
 * Runs several small statements in one call. Arrays of JavaScript values would cost more than the statements, so the
 * operations and their results are numbers:
 *
 *   input  per operation: statement, limit, mode, number of parameters; then a TAG_* and a value per parameter. Limit
 *          0: a statement that writes, its rows are not returned; 1: the first row; more: all rows, at most that many.
 *          The value of a text (UTF-8) or blob is its length. Its bytes are in `bytes`, all in order.
 *   cells  POINT_HEAD numbers; then per operation its status, its duration in milliseconds, and two values. POINT_ROWS
 *          and POINT_NEW_ROWS: number of rows and of columns, and the cells follow row by row. POINT_WROTE: number of
 *          changed rows and the last rowid.
 *   tags   a TAG_* per cell, at the cell's place in `cells`
 *   text   the bytes of texts and blobs, all in order
 *
 * The run ends before an operation that has more rows than its limit, or whose rows do not fit. It ends after an
 * operation if the time is over then. It ends at an operation that fails. If that operation writes and was begun, it
 * must not run again: POINT_STEPPED is set, and the next operation is the one after it. If `text` has room, its error is
 * not thrown but written there: POINT_CODE and POINT_MESSAGE are the lengths of the code's name and of the message.
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
/* The first cells of an operation's result. */
enum { POINT_STATUS = 0, POINT_MS = 1, POINT_FIRST = 2, POINT_SECOND = 3, POINT_CELLS = 4 };

/* Called from JavaScript. */
napi_value run_points(napi_env env, napi_callback_info info);

#endif
