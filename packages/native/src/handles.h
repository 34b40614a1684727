/* The open handles, which JavaScript names by tokens that never mean another handle. */
#ifndef SQLITE_AIO_HANDLES_H
#define SQLITE_AIO_HANDLES_H
#include "tables.h"

typedef struct Statement Statement;
typedef struct Work Work;
typedef struct Scratch Scratch;
typedef struct EndOfThread EndOfThread;
typedef struct EventLog EventLog;
typedef struct Blob Blob;

/* What a statement touches, noted while it is prepared. */
typedef struct {
  Table *reads, *writes;
  Table *named; /* read without a column: as the text of the statement names them, the database may be "" */
  int schema, lost;
} Analysis;

typedef struct {
  const sqlite3_api_routines *api; /* of the engine that loaded us: a process may hold several */
  sqlite3 *db;
  Thread owner;
  uint32_t slot;
  double stops_with;    /* number of the environment that its statements end with, 0 for none; under the mutex */
  uint64_t loaded;      /* when the extension was last loaded into it, in the order of all such loads */

  napi_env env;         /* of `authorizer` and `guard` */
  napi_ref authorizer;  /* NULL while `authorizing` when its environment is gone: then everything is denied */
  napi_ref guard;       /* a function that calls the engine's own addon, which calls run_guarded() */
  int authorizing, asking, dropping;

  Analysis *analysis;   /* the statement being prepared is only looked at */
  int analyzed, silent;

  int tracking, committing, lost;
  uint32_t limit;
  Table *pending, *committed;
  EventLog *events;         /* NULL unless they are recorded */

  Statement **statements;
  uint32_t statement_count; /* places in it */
  uint32_t generation;      /* of the statement that was prepared last */
  EndOfThread *end;         /* finalizes them */
  Blob *blobs;
  double blob_count;        /* how many were opened */
  Work *work;               /* what run_guarded() is to do */
  int working;
  Scratch *scratch;         /* the memory that rows are packed in */
} Handle;

/* Makes the names of sqlite3.h mean the engine of this handle, through sqlite3ext.h's macros. */
#define ENGINE_OF(h) const sqlite3_api_routines *const sqlite3_api = (h)->api

int add_handle(Handle *h);
void remove_handle(const Handle *h);
void handle_loaded(Handle *h);
/* Call with the mutex held. */
double token_of(const Handle *h);
Handle *find_handle(double token);
/* All open handles, one after the other; with the mutex held. */
Handle *first_handle(void);
Handle *next_handle(const Handle *h);
/* The handle of this thread into which the extension was loaded last. */
Handle *last_handle(void);
/* A handle that has references of this environment, NULL if there is none. */
Handle *handle_of(napi_env env);
/* Puts a reference into a field of the handle; the one before it is deleted, where that can be done. */
void replace_reference(Handle *h, napi_env env, napi_ref *field, napi_ref reference);
/* Which names this copy of the binary among all in the process. */
const void *table_of_handles(void);

#endif
