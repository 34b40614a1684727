#include "authorizer.h"
#include "blobs.h"
#include "changes.h"
#include "hooks.h"
#include "packing.h"
#include "statements.h"

/* The destructor of the client data. SQLite runs it early in sqlite3_close(), while the handle is still whole. So the
   hooks are removed before the rollback of an open transaction could call them. */
static void drop_handle(void *pointer) {
  Handle *h = pointer;
  ENGINE_OF(h);
  finalize_statements(h);
  close_blobs(h);
  forget_end(h);
  remove_handle(h);
  free_events(h);
  h->control = (Control){NULL, NULL};
  stop_tracking(h);
  sqlite3_set_authorizer(h->db, NULL, NULL);
  replace_reference(h, NULL, &h->authorizer, NULL);
  replace_reference(h, NULL, &h->guard, NULL);
  replace_reference(h, NULL, &h->block, NULL);
  free_scratch(h);
  free(h);
}

/* SQLite calls this first in sqlite3_close(). The statements must be finalized now: sqlite3_close() checks for them
   before it runs any destructor, and refuses. The engine's addon ignores that, so the handle would leak, with its files
   open. */
static int on_close(unsigned what, void *pointer, void *db, void *nothing) {
  (void)db;
  (void)nothing;
  if (what != SQLITE_TRACE_CLOSE) return 0;
  finalize_statements(pointer);
  close_blobs(pointer);
  return 0;
}

/* Each copy of this binary in a process has a table of its own, so each needs another name for its client data: the
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
  /* If this fails, it has called the destructor. */
  if (sqlite3_set_clientdata(db, key, h, drop_handle) != SQLITE_OK) return SQLITE_NOMEM;
  sqlite3_trace_v2(db, SQLITE_TRACE_CLOSE, on_close, h);
  if (define_guard_function(h) != SQLITE_OK) return SQLITE_NOMEM;
  /* Unloading would reset the generations, and an old token could then name a new handle. */
  return SQLITE_OK_LOAD_PERMANENTLY;
}
