/* Work on a handle, which may run inside of a call of the engine's own addon. */
#ifndef SQLITE_AIO_WORK_H
#define SQLITE_AIO_WORK_H
#include "handles.h"

/* What SQLite answered, or what a function of JavaScript's threw. */
typedef struct {
  int code; /* SQLITE_OK: nothing */
  char *message;
  napi_value thrown;
  napi_ref kept; /* of `thrown`, for a later call */
} Failure;

struct Work {
  void (*run)(Handle *h, Work *work);
  Failure failure;
};

/* Runs the work: at once, or inside of the guard where the handle has one. False if there is a failure. */
int perform(napi_env env, Handle *h, Work *work);

/* The failure that the handle tells of now; `code` is what a step or a reset gave. */
void note_failure(const Handle *h, Failure *failure, int code);
/* The failure with this text, which is static. */
void note_own_failure(Failure *failure, int code, const char *message);
/* Throws it to JavaScript, and forgets it. */
void throw_failure(napi_env env, const Handle *h, Failure *failure);
/* Moves it to where it lasts until a later call. */
void keep_failure(napi_env env, Failure *failure, Failure *kept);
/* May be called where no JavaScript may run, or on the thread that the handle belongs to only. */
void drop_failure(const Handle *h, Failure *failure);

/* The SQL function that the guard calls. */
int define_guard_function(Handle *h);

/* For JavaScript. */
napi_value set_guard(napi_env env, napi_callback_info info);

#endif
