#include "analyze.h"
#include "authorizer.h"
#include "bind.h"
#include "blobs.h"
#include "bulk.h"
#include "changes.h"
#include "environments.h"
#include "functions.h"
#include "hooks.h"
#include "images.h"
#include "js.h"
#include "limits.h"
#include "points.h"
#include "rows.h"
#include "statements.h"
#include "vfs.h"

#ifndef SQLITE_AIO_VERSION
#define SQLITE_AIO_VERSION "0.0.0"
#endif

static napi_value last_token(napi_env env, napi_callback_info info) {
  double token = 0;
  napi_value result = NULL;
  (void)info;
  lock();
  const Handle *last = last_handle();
  if (last) token = token_of(last);
  unlock();
  if (last) return js_number(env, token);
  N(napi_get_null)(env, &result);
  return result;
}

static napi_value interrupt(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  double token;
  if (!read_arguments(env, info, 1, arguments, &token)) return NULL;
  /* With the mutex held, the handle cannot close in the meantime. sqlite3_interrupt() only sets a flag and takes no
     lock. */
  lock();
  Handle *h = find_handle(token);
  if (h) {
    ENGINE_OF(h);
    sqlite3_interrupt(h->db);
  }
  unlock();
  return js_boolean(env, h != NULL);
}

static int is_interrupted(const Handle *h) {
  ENGINE_OF(h);
  if (!sqlite3_is_interrupted(h->db)) return 0;
  for (sqlite3_stmt *s = sqlite3_next_stmt(h->db, NULL); s; s = sqlite3_next_stmt(h->db, s))
    if (sqlite3_stmt_busy(s)) return 1;
  /* SQLite forgets it before the next statement. */
  return 0;
}

/* An interrupt stays while a statement is under way, and a virtual table may have one until its transaction ends: an
   R-tree after a write. A ROLLBACK is interrupted then, too. But any statement that writes ends at once, and SQLite rolls
   back; the table's own is such a one. */
static napi_value undo_interrupted(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  double token;
  if (!read_arguments(env, info, 1, arguments, &token)) return NULL;
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  ENGINE_OF(h);
  int open = !sqlite3_get_autocommit(h->db);
  for (sqlite3_stmt *s = sqlite3_next_stmt(h->db, NULL); s && !sqlite3_get_autocommit(h->db) && is_interrupted(h);
       s = sqlite3_next_stmt(h->db, s)) {
    if (sqlite3_stmt_readonly(s) || sqlite3_stmt_busy(s)) continue;
    sqlite3_step(s);
    sqlite3_reset(s);
  }
  return js_boolean(env, open && sqlite3_get_autocommit(h->db));
}

/* Called when the environment of a thread ends: before or after its handles are closed. */
static void forget_environment(napi_env env, void *data, void *hint) {
  (void)data;
  (void)hint;
  forget_functions(env);
  for (;;) {
    napi_ref authorizer = NULL, guard = NULL, block = NULL;
    lock();
    Handle *h = handle_of(env);
    if (h) {
      authorizer = h->authorizer;
      guard = h->guard;
      block = h->block;
      h->authorizer = h->guard = h->block = NULL;
      h->control = (Control){NULL, NULL};
      h->env = NULL;
    }
    unlock();
    if (!h) return;
    if (authorizer) N(napi_delete_reference)(env, authorizer);
    if (guard) N(napi_delete_reference)(env, guard);
    if (block) N(napi_delete_reference)(env, block);
  }
}

static void export_function(napi_env env, napi_value exports, const char *name, napi_callback callback) {
  napi_value function;
  if (N(napi_create_function)(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function) == napi_ok) {
    N(napi_set_named_property)(env, exports, name, function);
  }
}

EXPORT int32_t node_api_module_get_api_version_v1(void) {
  return NAPI_VERSION;
}

EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  lock();
  int found = find_node();
  unlock();
  if (!found) return NULL;
  if (N(napi_set_instance_data)(env, (void *)table_of_handles(), forget_environment, NULL) != napi_ok) return NULL;
  export_function(env, exports, "lastToken", last_token);
  export_function(env, exports, "interrupt", interrupt);
  export_function(env, exports, "undoInterrupted", undo_interrupted);
  export_function(env, exports, "environment", environment);
  export_function(env, exports, "stopWith", stop_with);
  export_function(env, exports, "setAuthorizer", set_authorizer);
  export_function(env, exports, "trackChanges", track_changes);
  export_function(env, exports, "takeChanges", take_changes);
  export_function(env, exports, "markChanged", mark_changed);
  export_function(env, exports, "analyze", analyze);
  export_function(env, exports, "guardCommits", guard_commits);
  export_function(env, exports, "recordEvents", record_events);
  export_function(env, exports, "takeEvents", take_events);
  export_function(env, exports, "limit", limit);
  export_function(env, exports, "config", config);
  export_function(env, exports, "defineFunction", define_function);
  export_function(env, exports, "defineCollation", define_collation);
  export_function(env, exports, "blobOpen", blob_open);
  export_function(env, exports, "blobRead", blob_read);
  export_function(env, exports, "blobWrite", blob_write);
  export_function(env, exports, "blobClose", blob_close);
  export_function(env, exports, "deserialize", deserialize);
  export_function(env, exports, "copyInto", copy_into);
  export_function(env, exports, "usePrefixes", use_prefixes);
  export_function(env, exports, "setGuard", set_guard);
  export_function(env, exports, "prepare", prepare);
  export_function(env, exports, "finalize", finalize);
  export_function(env, exports, "columns", columns);
  export_function(env, exports, "reset", reset);
  export_function(env, exports, "bind", bind_values);
  export_function(env, exports, "rows", rows);
  export_function(env, exports, "runMany", run_many);
  export_function(env, exports, "runPoints", run_points);
  set_string(env, exports, "version", SQLITE_AIO_VERSION);
  return exports;
}
