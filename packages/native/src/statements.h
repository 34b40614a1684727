/* Statements that are prepared, bound and stepped here, on the engine's own handle. */
#ifndef SQLITE_AIO_STATEMENTS_H
#define SQLITE_AIO_STATEMENTS_H
#include "handles.h"
#include "work.h"

/* What is kept of a column from one packet to the next, so that a result has few shapes. */
typedef struct {
  uint8_t kind;
  uint8_t nullable;
  uint8_t varied; /* its texts hardly repeat: no dictionary for the rest of the result */
} ColumnHabit;

struct Statement {
  sqlite3_stmt *stmt;
  double id;
  int columns, parameters;
  int reprepares;      /* when the columns were counted */
  ColumnHabit *habits; /* `columns` of them; NULL until rows are packed */
  int mode;            /* of reading integers, which the habits are of */
  int ahead;           /* stepped to a row that was not handed out yet */
  int heavy;           /* texts or blobs are bound, which end with the run */
  Failure failure;     /* met behind rows that were handed out: told next */
};

/* Counts the columns again if the engine has prepared the statement anew; true if it has. */
int recount_columns(const Handle *h, Statement *s);
/* Ends a run, and lets go of its locks. Gives what sqlite3_reset() does. */
int stop_run(const Handle *h, Statement *s);
/* The same, and statement keeps no texts and blobs that are bound. */
int end_run(const Handle *h, Statement *s);
/* NULL if it has thrown: the statement is not one of this handle, or finalized. */
Statement *statement_of(napi_env env, const Handle *h, napi_value id);
Statement *find_statement(const Handle *h, double id);
/* Of a handle that is about to be closed: one with statements would stay open for ever. */
void finalize_statements(Handle *h);
/* Has the thread let go of the handle's statements and blobs when it ends. False without memory. */
int expect_end(napi_env env, Handle *h, double token);
/* It is closed before its thread ends. */
void forget_end(Handle *h);

/* For JavaScript. */
napi_value prepare(napi_env env, napi_callback_info info);
napi_value finalize(napi_env env, napi_callback_info info);
napi_value columns(napi_env env, napi_callback_info info);
napi_value reset(napi_env env, napi_callback_info info);

#endif
