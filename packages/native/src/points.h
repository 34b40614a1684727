/*
 * A run of small statements in one call. Arrays of JavaScript's would cost more than the statements, so they come as
 * numbers, and so do their results:
 *
 *   input  for each: statement, limit, mode, number of parameters, then a TAG_* and a value each. A limit of 0: it
 *          writes, its rows do not matter; 1: its first row; more: all of its rows, if there are no more than that.
 *          A text (UTF-8) or blob has its length for a value, and its bytes in `bytes`, one behind the other.
 *   cells  POINT_HEAD places, then for each its status, and two values: POINT_ROWS, POINT_NEW_ROWS: rows, columns;
 *          the cells follow row by row; POINT_WROTE: changes, the last rowid as int64
 *   tags   a TAG_* a cell, for its place in `cells`
 *   text   the bytes of texts and blobs, one behind the other
 *
 * The run ends before an operation that has more rows than that, or whose rows do not fit.
 */
#ifndef SQLITE_AIO_POINTS_H
#define SQLITE_AIO_POINTS_H
#include "statements.h"

enum { POINT_DONE = 0, POINT_AT = 1, POINT_BYTES = 2, POINT_HEAD = 3 };
enum { POINT_ROWS = 0, POINT_NEW_ROWS = 1, POINT_WROTE = 2 };

/* For JavaScript. */
napi_value run_points(napi_env env, napi_callback_info info);

#endif
