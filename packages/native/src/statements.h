/* Prepares, binds and steps statements on the engine's handle. */
#ifndef SQLITE_AIO_STATEMENTS_H
#define SQLITE_AIO_STATEMENTS_H
#include "handles.h"
#include "work.h"

/* What is remembered of a column between packets, so that the packets of a result have few different shapes. */
typedef struct {
  uint8_t kind;
  uint8_t nullable;
  uint8_t varied; /* its texts rarely repeat: no dictionary for the rest of the result */
} ColumnHabit;

struct Statement {
  sqlite3_stmt *stmt;
  double id;
  int columns, parameters;
  int reprepares;      /* SQLITE_STMTSTATUS_REPREPARE when the columns were counted */
  ColumnHabit *habits; /* `columns` of them; NULL until rows are packed */
  int mode;            /* how integers are read, for which the habits hold */
  int ahead;           /* stepped to a row that was not returned yet */
  int heavy;           /* bound texts or blobs are valid only during the run */
  Failure failure;     /* an error after rows that were returned: the next call throws it */
};

/* Counts the columns again if the engine has prepared the statement again. True if it has. */
int recount_columns(const Handle *h, Statement *s);
/* Ends a run and releases its locks. Returns the result of sqlite3_reset(). */
int stop_run(const Handle *h, Statement *s);
/* The same, and clears bound texts and blobs. */
int end_run(const Handle *h, Statement *s);
/* The statement; NULL after throwing, if it belongs to another handle or is finalized. */
Statement *statement_of(napi_env env, const Handle *h, napi_value id);
Statement *find_statement(const Handle *h, double id);
/* Called before a handle is closed: with open statements it would never be closed. */
void finalize_statements(Handle *h);
/* Makes the thread finalize the handle's statements and close its blobs when it ends. False if there is no memory. */
int expect_end(napi_env env, Handle *h, double token);
/* Called when the handle is closed before its thread ends. */
void forget_end(Handle *h);

/* Called from JavaScript. */
napi_value prepare(napi_env env, napi_callback_info info);
napi_value finalize(napi_env env, napi_callback_info info);
napi_value columns(napi_env env, napi_callback_info info);
napi_value reset(napi_env env, napi_callback_info info);

#endif
