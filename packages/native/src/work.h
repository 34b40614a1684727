/* Runs work on a handle, inside a call of the engine's addon if needed. */
#ifndef SQLITE_AIO_WORK_H
#define SQLITE_AIO_WORK_H
#include "handles.h"

/* SQLite's error, or the value that a JavaScript function threw. */
typedef struct {
  int code; /* SQLITE_OK: no failure */
  char *message;
  napi_value thrown;
  napi_ref kept; /* keeps `thrown` for a later call */
} Failure;

struct Work {
  void (*run)(Handle *h, Work *work);
  Failure failure;
};

/* Runs the work, inside the guard if the handle has one. False if there is a failure. */
int perform(napi_env env, Handle *h, Work *work);

/* Records the handle's current error; `code` is the result of a step or a reset. */
void note_failure(const Handle *h, Failure *failure, int code);
/* Records a failure with this static text. */
void note_own_failure(Failure *failure, int code, const char *message);
/* Throws the failure to JavaScript and clears it. */
void throw_failure(napi_env env, const Handle *h, Failure *failure);
/* Moves the failure to a place where it lasts until a later call. */
void keep_failure(napi_env env, Failure *failure, Failure *kept);
/* Frees the failure. May be called when JavaScript cannot run, and on another thread, where a reference is leaked. */
void drop_failure(const Handle *h, Failure *failure);

/* The SQL function that the guard calls. */
int define_guard_function(Handle *h);

/* Called from JavaScript. */
napi_value set_guard(napi_env env, napi_callback_info info);

#endif
