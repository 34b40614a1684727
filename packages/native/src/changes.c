#include "changes.h"
#include "authorizer.h"
#include "hooks.h"
#include "js.h"

static int read_version(Handle *h, const char *database, unsigned *version) {
  ENGINE_OF(h);
  return sqlite3_file_control(h->db, database, SQLITE_FCNTL_DATA_VERSION, version) == SQLITE_OK;
}

/* The commit hook runs before the commit, which can still fail (SQLITE_BUSY leaves the transaction open). Later the
   version of the content shows the outcome: a commit increases it, a rollback does not. */
static void settle(Handle *h) {
  if (!h->committing) return;
  h->committing = 0;
  int known = 0, grown = 0;
  for (Table *t = h->pending; t; t = t->next) {
    unsigned version = 0;
    if (!t->versioned) continue;
    known = 1;
    if (!read_version(h, t->database, &version) || version != t->version) grown = 1;
    t->versioned = 0;
  }
  if (known && !grown) return;
  while (h->pending) {
    Table *t = h->pending;
    Table **place = place_of(&h->committed, t->database, t->name);
    h->pending = t->next;
    t->next = NULL;
    if (*place) {
      if (t->unknown) forget_rowids(*place);
      for (uint32_t i = 0; i < t->count; i++) add_rowid(*place, t->rowids[i], h->limit);
      free_rowids(t);
      free(t);
    } else {
      *place = t;
    }
  }
}

void track_update(Handle *h, const char *database, const char *name, sqlite3_int64 rowid) {
  settle(h);
  Table *t = table_in(&h->pending, database, name);
  if (t) add_rowid(t, rowid, h->limit);
  else h->lost = 1;
}

void track_commit(Handle *h) {
  settle(h);
  for (Table *t = h->pending; t; t = t->next) t->versioned = read_version(h, t->database, &t->version);
  h->committing = h->pending != NULL;
}

void track_rollback(Handle *h) {
  settle(h);
  free_tables(&h->pending);
}

void stop_tracking(Handle *h) {
  free_tables(&h->pending);
  free_tables(&h->committed);
  h->tracking = h->committing = h->lost = 0;
  install_hooks(h);
}

napi_value track_changes(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  double token, limit = 1000;
  bool on;
  if (!read_arguments(env, info, 3, arguments, &token)) return NULL;
  if (N(napi_get_value_bool)(env, arguments[1], &on) != napi_ok) return wrong_type(env, "on must be a boolean");
  if (!is_type(env, arguments[2], napi_undefined) &&
      (N(napi_get_value_double)(env, arguments[2], &limit) != napi_ok || !(limit >= 0 && limit <= 1e6))) {
    return wrong_type(env, "rowidLimit must be a number from 0 to 1,000,000");
  }
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  h->limit = (uint32_t)limit;
  if (on == (h->tracking != 0)) return NULL;
  if (on) {
    h->tracking = 1;
    install_hooks(h);
  } else {
    stop_tracking(h);
  }
  install_authorizer(h);
  return NULL;
}

napi_value mark_changed(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  double token;
  if (!read_arguments(env, info, 3, arguments, &token)) return NULL;
  if (!is_type(env, arguments[1], napi_string) || !is_type(env, arguments[2], napi_string)) {
    return wrong_type(env, "database and table must be strings");
  }
  Handle *h = own_handle(env, token);
  if (!h || !h->tracking) return NULL;
  ENGINE_OF(h);
  char *database = copy_string(env, arguments[1]), *name = copy_string(env, arguments[2]);
  settle(h);
  Table *t = NULL;
  if (database && name) t = table_in(sqlite3_get_autocommit(h->db) ? &h->committed : &h->pending, database, name);
  if (t) forget_rowids(t);
  else h->lost = 1;
  free(database);
  free(name);
  return NULL;
}

static napi_value rowids_of(napi_env env, const Table *t) {
  napi_value list, value;
  if (t->unknown) {
    N(napi_get_null)(env, &list);
    return list;
  }
  N(napi_create_array_with_length)(env, t->count, &list);
  for (uint32_t i = 0; i < t->count; i++) {
    N(napi_create_bigint_int64)(env, t->rowids[i], &value);
    N(napi_set_element)(env, list, i, value);
  }
  return list;
}

napi_value take_changes(napi_env env, napi_callback_info info) {
  napi_value arguments[1], list = NULL, change;
  double token;
  uint32_t count = 0;
  if (!read_arguments(env, info, 1, arguments, &token)) return NULL;
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  settle(h);
  if (h->lost) {
    h->lost = 0;
    free_tables(&h->committed);
    return fail(env, "ERR_SQLITE_AIO_NATIVE_MEMORY",
                "There was no memory to note a change: any table may have changed");
  }
  if (!h->committed) {
    N(napi_get_null)(env, &list);
    return list;
  }
  N(napi_create_array_with_length)(env, 0, &list);
  for (const Table *t = h->committed; t; t = t->next) {
    N(napi_create_object)(env, &change);
    set_string(env, change, "database", t->database);
    set_string(env, change, "table", t->name);
    N(napi_set_named_property)(env, change, "rowids", rowids_of(env, t));
    N(napi_set_element)(env, list, count++, change);
  }
  free_tables(&h->committed);
  return list;
}
