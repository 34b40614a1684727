#include "work.h"
#include "js.h"

/* If a JavaScript function throws inside a statement, its exception stays pending in the environment of the addon that
   defined it, and the next call of that addon aborts the process. If it closes the handle, the handle is freed while we
   use it. Inside a call of that addon neither can happen: the addon then counts as busy and handles the exception
   itself. So a handle on which such functions may run has a guard: a JavaScript function that makes the engine's addon
   run `SELECT sqlite_aio_guard()`, and this SQL function does the work. */

/* SQLite does not tell a SQL function which engine calls it, so it looks for a handle of this thread with work. */
static Handle *handle_with_work(void) {
  Handle *found = NULL;
  lock();
  for (Handle *h = first_handle(); h && !found; h = next_handle(h)) {
    if (h->work && same_thread(h->owner, this_thread())) found = h;
  }
  unlock();
  return found;
}

static void run_guarded(sqlite3_context *context, int count, sqlite3_value **values) {
  Handle *h = handle_with_work();
  (void)count;
  (void)values;
  /* Not called by the guard: the result is NULL. */
  if (!h) return;
  ENGINE_OF(h);
  Work *work = h->work;
  h->work = NULL;
  work->run(h, work);
  const Failure *failure = &work->failure;
  if (failure->code == SQLITE_OK) return;
  sqlite3_result_error(context, failure->message ? failure->message : sqlite3_errstr(failure->code), -1);
  sqlite3_result_error_code(context, failure->code);
}

int define_guard_function(Handle *h) {
  ENGINE_OF(h);
  return sqlite3_create_function_v2(h->db, "sqlite_aio_guard", 0, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL, run_guarded,
                                    NULL, NULL, NULL);
}

int perform(napi_env env, Handle *h, Work *work) {
  napi_value guard, receiver, result;
  work->failure = (Failure){SQLITE_OK, NULL, NULL, NULL};
  h->working = 1;
  if (!h->guard) {
    work->run(h, work);
  } else {
    h->work = work;
    napi_status status = N(napi_get_reference_value)(env, h->guard, &guard);
    if (status == napi_ok) status = N(napi_get_undefined)(env, &receiver);
    if (status == napi_ok) status = N(napi_call_function)(env, receiver, guard, 0, NULL, &result);
    if (status != napi_ok) {
      bool pending = false;
      N(napi_is_exception_pending)(env, &pending);
      if (!pending || N(napi_get_and_clear_last_exception)(env, &work->failure.thrown) != napi_ok)
        work->failure.thrown = NULL;
      if (work->failure.code == SQLITE_OK) work->failure.code = SQLITE_ERROR;
    } else if (h->work) {
      note_own_failure(&work->failure, SQLITE_MISUSE, "The guard of the handle did not call sqlite_aio_guard()");
    }
    h->work = NULL;
  }
  h->working = 0;
  return work->failure.code == SQLITE_OK;
}

void note_failure(const Handle *h, Failure *failure, int code) {
  ENGINE_OF(h);
  const char *message = sqlite3_errmsg(h->db);
  size_t room = strlen(message) + 1;
  free(failure->message);
  *failure = (Failure){code, malloc(room), NULL, NULL};
  if (failure->message) memcpy(failure->message, message, room);
}

void note_own_failure(Failure *failure, int code, const char *message) {
  size_t room = strlen(message) + 1;
  free(failure->message);
  *failure = (Failure){code, malloc(room), NULL, NULL};
  if (failure->message) memcpy(failure->message, message, room);
}

void throw_failure(napi_env env, const Handle *h, Failure *failure) {
  napi_value thrown = failure->thrown;
  if (failure->kept) {
    N(napi_get_reference_value)(env, failure->kept, &thrown);
    N(napi_delete_reference)(env, failure->kept);
  }
  if (thrown) N(napi_throw)(env, thrown);
  else throw_sqlite(env, h, failure->code, failure->message);
  free(failure->message);
  *failure = (Failure){SQLITE_OK, NULL, NULL, NULL};
}

void keep_failure(napi_env env, Failure *failure, Failure *kept) {
  *kept = *failure;
  kept->thrown = NULL;
  /* Only objects can have references. For other values SQLite's own error is thrown. */
  if (failure->thrown && N(napi_create_reference)(env, failure->thrown, 1, &kept->kept) != napi_ok) kept->kept = NULL;
  *failure = (Failure){SQLITE_OK, NULL, NULL, NULL};
}

void drop_failure(const Handle *h, Failure *failure) {
  /* Only its own thread may delete a reference. If an engine closes on another thread, the reference is leaked. */
  if (failure->kept && h->env && same_thread(h->owner, this_thread())) N(napi_delete_reference)(h->env, failure->kept);
  free(failure->message);
  *failure = (Failure){SQLITE_OK, NULL, NULL, NULL};
}

napi_value set_guard(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  napi_ref reference = NULL;
  double token;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  int given = is_type(env, arguments[1], napi_function);
  if (!given && !is_type(env, arguments[1], napi_null)) return wrong_type(env, "The guard must be a function or null");
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  if (given && N(napi_create_reference)(env, arguments[1], 1, &reference) != napi_ok) return NULL;
  replace_reference(h, env, &h->guard, reference);
  return NULL;
}
