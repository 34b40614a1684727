#include "authorizer.h"
#include "blobs.h"
#include "changes.h"
#include "hooks.h"
#include "packing.h"
#include "statements.h"

/* The destructor of the client data, which SQLite runs early in sqlite3_close(): the handle is still whole, so the
   hooks can be taken out before anything (the rollback of an open transaction) would call them. */
static void drop_handle(void *pointer) {
  Handle *h = pointer;
  ENGINE_OF(h);
  finalize_statements(h);
  close_blobs(h);
  forget_end(h);
  remove_handle(h);
  free_events(h);
  stop_tracking(h);
  sqlite3_set_authorizer(h->db, NULL, NULL);
  replace_reference(h, NULL, &h->authorizer, NULL);
  replace_reference(h, NULL, &h->guard, NULL);
  free_scratch(h);
  free(h);
}

/* sqlite3_close() refuses a handle with statements before it runs any destructor, and the engine's addon takes no
   answer: the handle would be leaked, with its files open. This comes first of all. */
static int on_close(unsigned what, void *pointer, void *db, void *nothing) {
  (void)db;
  (void)nothing;
  if (what != SQLITE_TRACE_CLOSE) return 0;
  finalize_statements(pointer);
  close_blobs(pointer);
  return 0;
}

/* Two copies of this binary in one process have two tables, so each needs a name of its own for its client data: the
   address of its table in letters (printf would double the size of the Windows binary). */
#define KEY "sqlite-aio "
static const char *client_key(char key[sizeof KEY + sizeof(uintptr_t) * 2]) {
  uintptr_t address = (uintptr_t)table_of_handles();
  memcpy(key, KEY, sizeof KEY - 1);
  char *end = key + sizeof KEY - 1;
  for (size_t i = 0; i < sizeof address * 2; i++, address >>= 4) *end++ = (char)('a' + (address & 15));
  *end = 0;
  return key;
}

static int fail_to_load(const sqlite3_api_routines *sqlite3_api, char **message, const char *why) {
  if (message) *message = sqlite3_mprintf("@sqlite-aio/native: %s", why);
  return SQLITE_ERROR;
}

EXPORT int sqlite3_extension_init(sqlite3 *db, char **message, const sqlite3_api_routines *sqlite3_api) {
  char key[sizeof KEY + sizeof(uintptr_t) * 2];
  if (sqlite3_libversion_number() < 3044000) return fail_to_load(sqlite3_api, message, "needs SQLite 3.44 or later");
  Handle *h = sqlite3_get_clientdata(db, client_key(key));
  if (h) {
    handle_loaded(h);
    return SQLITE_OK_LOAD_PERMANENTLY;
  }
  h = calloc(1, sizeof *h);
  if (!h) return SQLITE_NOMEM;
  h->api = sqlite3_api;
  h->db = db;
  h->owner = this_thread();
  if (!add_handle(h)) {
    free(h);
    return fail_to_load(sqlite3_api, message, "too many handles");
  }
  /* If it fails it has called the destructor. */
  if (sqlite3_set_clientdata(db, key, h, drop_handle) != SQLITE_OK) return SQLITE_NOMEM;
  sqlite3_trace_v2(db, SQLITE_TRACE_CLOSE, on_close, h);
  if (define_guard_function(h) != SQLITE_OK) return SQLITE_NOMEM;
  /* Unloading would reset the generations, and an old token could come to mean a new handle. */
  return SQLITE_OK_LOAD_PERMANENTLY;
}
