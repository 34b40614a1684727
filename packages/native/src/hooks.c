#include "hooks.h"
#include "analyze.h"
#include "authorizer.h"
#include "changes.h"
#include "js.h"

/* Which events are recorded. */
enum { UPDATES = 1, COMMITS = 2, ROLLBACKS = 4, EVERYTHING = 7 };
/* In an event, these stand in place of the action. */
enum { COMMITTED = 0, ROLLED_BACK = 1 };

typedef struct {
  int32_t what; /* the action, plus the number of the table << 8 */
  sqlite3_int64 rowid;
} Event;

struct EventLog {
  int wanted, lost;
  Table *tables; /* by number */
  Event *events;
  size_t count, room;
  /* A commit has begun and may still fail; and the version of each database's content at that time. */
  int committing;
  unsigned *versions;
  int version_count;
};

static void clear_events(EventLog *log) {
  free_tables(&log->tables);
  log->count = 0;
}

static void add_event(EventLog *log, int action, uint32_t table, sqlite3_int64 rowid) {
  if (log->count == log->room) {
    size_t room = log->room ? log->room * 2 : 64;
    Event *events = realloc(log->events, room * sizeof *events);
    if (!events) {
      log->lost = 1;
      return;
    }
    log->events = events;
    log->room = room;
  }
  log->events[log->count++] = (Event){(int32_t)(table << 8) | action, rowid};
}

static int read_version(const Handle *h, const char *database, unsigned *version) {
  ENGINE_OF(h);
  return sqlite3_file_control(h->db, database, SQLITE_FCNTL_DATA_VERSION, version) == SQLITE_OK;
}

static void begin_commit(const Handle *h, EventLog *log) {
  ENGINE_OF(h);
  int count = 0;
  while (sqlite3_db_name(h->db, count)) count++;
  if (count > log->version_count) {
    unsigned *versions = realloc(log->versions, (size_t)count * sizeof *versions);
    if (!versions) {
      log->lost = 1;
      return;
    }
    log->versions = versions;
  }
  log->version_count = count;
  for (int i = 0; i < count; i++) {
    if (!read_version(h, sqlite3_db_name(h->db, i), &log->versions[i])) log->versions[i] = 0;
  }
  log->committing = 1;
}

/* The commit hook runs before the commit, which can still fail. Later the versions show the outcome: a commit increases
   one of them, a rollback none. */
static void end_commit(const Handle *h, EventLog *log) {
  ENGINE_OF(h);
  if (!log->committing) return;
  log->committing = 0;
  for (int i = 0; i < log->version_count; i++) {
    const char *database = sqlite3_db_name(h->db, i);
    unsigned version = 0;
    if (database && read_version(h, database, &version) && version == log->versions[i]) continue;
    add_event(log, COMMITTED, 0, 0);
    return;
  }
}

static void on_update(void *pointer, int action, const char *database, const char *name, sqlite3_int64 rowid) {
  Handle *h = pointer;
  EventLog *log = h->events;
  if (h->tracking) track_update(h, database, name, rowid);
  if (!log) return;
  end_commit(h, log);
  if (!(log->wanted & UPDATES)) return;
  uint32_t number = 0;
  const Table *wanted = table_in(&log->tables, database, name);
  for (const Table *t = log->tables; t && t != wanted; t = t->next) number++;
  if (wanted) add_event(log, action, number, rowid);
  else log->lost = 1;
}

static int on_commit(void *pointer) {
  Handle *h = pointer;
  /* SQLite rolls back then, and the statement fails. */
  if (is_given_up_alone(&h->control)) return 1;
  if (h->tracking) track_commit(h);
  if (h->events) {
    end_commit(h, h->events);
    if (h->events->wanted & COMMITS) begin_commit(h, h->events);
  }
  return 0;
}

static void on_rollback(void *pointer) {
  Handle *h = pointer;
  if (h->tracking) track_rollback(h);
  if (h->events) {
    end_commit(h, h->events);
    if (h->events->wanted & ROLLBACKS) add_event(h->events, ROLLED_BACK, 0, 0);
  }
}

int watches_rows(const Handle *h) { return h->tracking || (h->events && (h->events->wanted & UPDATES)); }

void install_hooks(Handle *h) {
  ENGINE_OF(h);
  int wanted = h->tracking || h->events;
  sqlite3_update_hook(h->db, wanted ? on_update : NULL, h);
  sqlite3_commit_hook(h->db, wanted || h->control.words ? on_commit : NULL, h);
  sqlite3_rollback_hook(h->db, wanted ? on_rollback : NULL, h);
}

void free_events(Handle *h) {
  EventLog *log = h->events;
  if (!log) return;
  h->events = NULL;
  clear_events(log);
  free(log->events);
  free(log->versions);
  free(log);
}

/* (token, control block or undefined): the commit of a statement whose caller has given it up fails. */
napi_value guard_commits(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  double token;
  Control control;
  napi_ref block = NULL;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  if (!read_control(env, arguments[1], &control)) return NULL;
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  if (control.words && N(napi_create_reference)(env, arguments[1], 1, &block) != napi_ok) return out_of_memory(env);
  h->control = control;
  replace_reference(h, env, &h->block, block);
  install_hooks(h);
  return NULL;
}

napi_value record_events(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  double token, wanted;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  if (!read_count(env, arguments[1], EVERYTHING, "what must be a sum of 1, 2 and 4", &wanted)) return NULL;
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  int watched = watches_rows(h);
  if ((int)wanted == 0) free_events(h);
  else {
    if (!h->events) h->events = calloc(1, sizeof *h->events);
    if (!h->events) return out_of_memory(env);
    h->events->wanted = (int)wanted;
  }
  install_hooks(h);
  /* Only if needed, because SQLite then prepares every statement again. */
  if (watches_rows(h) != watched) install_authorizer(h);
  return NULL;
}

napi_value take_events(napi_env env, napi_callback_info info) {
  napi_value arguments[1], result = NULL, whats, rowids;
  double token;
  void *memory;
  if (!read_arguments(env, info, 1, arguments, &token)) return NULL;
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  EventLog *log = h->events;
  if (log) end_commit(h, log);
  if (log && log->lost) {
    log->lost = 0;
    clear_events(log);
    return fail(env, "ERR_SQLITE_AIO_NATIVE_MEMORY", "There was no memory to note an event");
  }
  if (!log || log->count == 0) {
    N(napi_get_null)(env, &result);
    return result;
  }
  size_t count = log->count;
  if (N(napi_create_object)(env, &result) != napi_ok) return NULL;
  N(napi_set_named_property)(env, result, "tables", pairs_of(env, log->tables));
  if (N(napi_create_arraybuffer)(env, count * sizeof(int32_t), &memory, &whats) != napi_ok) return NULL;
  for (size_t i = 0; i < count; i++) ((int32_t *)memory)[i] = log->events[i].what;
  if (N(napi_create_arraybuffer)(env, count * sizeof(sqlite3_int64), &memory, &rowids) != napi_ok) return NULL;
  for (size_t i = 0; i < count; i++) ((sqlite3_int64 *)memory)[i] = log->events[i].rowid;
  N(napi_set_named_property)(env, result, "events", whats);
  N(napi_set_named_property)(env, result, "rowids", rowids);
  clear_events(log);
  return result;
}
