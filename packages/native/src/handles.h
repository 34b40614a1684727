/* The open handles. JavaScript names them by tokens, and a token never names another handle later. */
#ifndef SQLITE_AIO_HANDLES_H
#define SQLITE_AIO_HANDLES_H
#include "control.h"
#include "tables.h"

typedef struct Statement Statement;
typedef struct Work Work;
typedef struct Scratch Scratch;
typedef struct EndOfThread EndOfThread;
typedef struct EventLog EventLog;
typedef struct Blob Blob;

/* What a statement reads and writes, recorded while it is prepared. */
typedef struct {
  Table *reads, *writes;
  Table *named; /* tables read without a column, as the statement names them: the database may be "" */
  int schema, lost;
} Analysis;

typedef struct {
  const sqlite3_api_routines *api; /* of the engine that loaded this extension: a process may have several engines */
  sqlite3 *db;
  Thread owner;
  uint32_t slot;
  double stops_with;    /* number of the environment that ends its statements, 0 for none; protected by the mutex */
  uint64_t loaded;      /* position of the latest load of the extension into it, among all loads */

  napi_env env;         /* the environment of the references */
  napi_ref authorizer;  /* NULL while `authorizing` after its environment has ended: then everything is denied */
  napi_ref block;       /* keeps the memory of `control` */
  napi_ref guard;       /* a function that calls the engine's addon, which calls run_guarded() */
  int authorizing, asking, dropping;

  Analysis *analysis;   /* the statement is prepared only for analysis */
  int analyzed, silent;

  int tracking, committing, lost;
  uint32_t limit;
  Table *pending, *committed;
  EventLog *events;         /* NULL unless events are recorded */
  Control control;          /* tells the commit hook what its caller has given up */

  Statement **statements;
  uint32_t statement_count; /* number of places */
  uint32_t generation;      /* of the latest prepared statement */
  EndOfThread *end;         /* finalizes the statements */
  Blob *blobs;
  double blob_count;        /* number of blobs opened so far */
  Work *work;               /* for run_guarded() */
  int working;
  Scratch *scratch;         /* memory for packing rows */
} Handle;

/* Makes the names in sqlite3.h refer to the engine of this handle, through the macros of sqlite3ext.h. */
#define ENGINE_OF(h) const sqlite3_api_routines *const sqlite3_api = (h)->api

int add_handle(Handle *h);
void remove_handle(const Handle *h);
void handle_loaded(Handle *h);
/* Call with the mutex held. */
double token_of(const Handle *h);
Handle *find_handle(double token);
/* Iterates over all open handles. Call with the mutex held. */
Handle *first_handle(void);
Handle *next_handle(const Handle *h);
/* The handle of this thread into which the extension was last loaded. */
Handle *last_handle(void);
/* A handle that has references of this environment, NULL if there is none. */
Handle *handle_of(napi_env env);
/* Stores a reference in a field of the handle. Deletes the previous one, if this thread can. */
void replace_reference(Handle *h, napi_env env, napi_ref *field, napi_ref reference);
/* Its address identifies this copy of the binary in the process. */
const void *table_of_handles(void);

#endif
