/*
 * One binary with two faces: an extension that SQLite loads into a handle (`sqlite3_extension_init`) and a
 * Node-API addon (`napi_register_module_v1`). The first puts the handle into a table, the second lets JavaScript
 * reach it from any thread by a token that never means another handle.
 */
#if !defined(_WIN32) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#define NAPI_VERSION 8
#define NAPI_EXTERN
#include <node_api.h>
#include <sqlite3ext.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifndef SQLITE_AIO_VERSION
#define SQLITE_AIO_VERSION "0.0.0"
#endif

/* ---- what the operating systems disagree about ---- */

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#define EXPORT __declspec(dllexport)
typedef DWORD Thread;
static SRWLOCK mutex = SRWLOCK_INIT;
static void lock(void) { AcquireSRWLockExclusive(&mutex); }
static void unlock(void) { ReleaseSRWLockExclusive(&mutex); }
static Thread this_thread(void) { return GetCurrentThreadId(); }
static int same_thread(Thread a, Thread b) { return a == b; }
#else
#include <pthread.h>
#define EXPORT __attribute__((visibility("default")))
typedef pthread_t Thread;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void lock(void) { pthread_mutex_lock(&mutex); }
static void unlock(void) { pthread_mutex_unlock(&mutex); }
static Thread this_thread(void) { return pthread_self(); }
static int same_thread(Thread a, Thread b) { return pthread_equal(a, b); }
#endif

#ifdef _WIN32
/* The host is node.exe, electron.exe or an application renamed from it, so an import library would name the wrong
   module: the functions are looked up in whatever program this is. */
#define NODE_API(X) \
  X(napi_call_function) X(napi_create_array_with_length) X(napi_create_bigint_int64) X(napi_create_error) \
  X(napi_create_double) X(napi_create_function) X(napi_create_int32) X(napi_create_object) \
  X(napi_create_reference) X(napi_create_string_utf8) X(napi_delete_reference) X(napi_get_and_clear_last_exception) \
  X(napi_get_boolean) X(napi_get_cb_info) X(napi_get_null) X(napi_get_reference_value) X(napi_get_undefined) \
  X(napi_get_value_bool) X(napi_get_value_double) X(napi_get_value_string_utf8) X(napi_is_exception_pending) \
  X(napi_close_handle_scope) X(napi_open_handle_scope) X(napi_set_element) X(napi_set_instance_data) \
  X(napi_set_named_property) X(napi_throw) X(napi_throw_error) X(napi_throw_type_error) X(napi_typeof)
#define FIELD(name) __typeof__(&name) name;
static struct { NODE_API(FIELD) } node;
#define N(name) node.name

static int find_node(void) {
  HMODULE host = GetModuleHandleW(NULL);
  if (!GetProcAddress(host, "napi_create_function")) host = GetModuleHandleW(L"libnode.dll");
  if (!host) return 0;
#define LOOK_UP(name) \
  node.name = (__typeof__(node.name))(void (*)(void))GetProcAddress(host, #name); \
  if (!node.name) return 0;
  NODE_API(LOOK_UP)
  return 1;
}
#else
#define N(name) name
static int find_node(void) { return 1; }
#endif

/* ---- sets of tables and of their rows ---- */

typedef struct Table Table;
struct Table {
  Table *next;
  const char *name;
  sqlite3_int64 *rowids; /* in the order of the changes, room / 2 of them */
  uint32_t *index;       /* open addressing, `room` places, 1 + position in rowids or 0 */
  uint32_t count, room;
  int unknown;           /* more rows than the limit: no list */
  int versioned;         /* `version` was read */
  unsigned version;      /* of the database's content, when its transaction began to commit */
  char database[];       /* followed by the name */
};

static void free_rowids(Table *t) {
  free(t->rowids);
  free(t->index);
  t->rowids = NULL;
  t->index = NULL;
  t->count = t->room = 0;
}

static void free_tables(Table **list) {
  while (*list) {
    Table *t = *list;
    *list = t->next;
    free_rowids(t);
    free(t);
  }
}

static Table **place_of(Table **list, const char *database, const char *name) {
  while (*list && (strcmp((*list)->name, name) != 0 || strcmp((*list)->database, database) != 0)) list = &(*list)->next;
  return list;
}

static Table *table_in(Table **list, const char *database, const char *name) {
  Table **place = place_of(list, database, name);
  if (!*place) {
    size_t head = strlen(database) + 1, tail = strlen(name) + 1;
    Table *t = calloc(1, sizeof *t + head + tail);
    if (!t) return NULL;
    memcpy(t->database, database, head);
    memcpy(t->database + head, name, tail);
    t->name = t->database + head;
    *place = t;
  }
  return *place;
}

static uint32_t place_of_rowid(const Table *t, sqlite3_int64 rowid) {
  uint32_t at = (uint32_t)(((uint64_t)rowid * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (t->room - 1);
  while (t->index[at] && t->rowids[t->index[at] - 1] != rowid) at = (at + 1) & (t->room - 1);
  return at;
}

static int grow(Table *t) {
  uint32_t room = t->room ? t->room * 2 : 16;
  sqlite3_int64 *rowids = realloc(t->rowids, room / 2 * sizeof *rowids);
  if (!rowids) return 0;
  t->rowids = rowids;
  uint32_t *index = calloc(room, sizeof *index);
  if (!index) return 0;
  free(t->index);
  t->index = index;
  t->room = room;
  for (uint32_t i = 0; i < t->count; i++) index[place_of_rowid(t, t->rowids[i])] = i + 1;
  return 1;
}

static void forget_rowids(Table *t) {
  free_rowids(t);
  t->unknown = 1;
}

static void add_rowid(Table *t, sqlite3_int64 rowid, uint32_t limit) {
  if (t->unknown) return;
  if (t->count && t->rowids[t->count - 1] == rowid) return;
  if (t->count) {
    if (t->index[place_of_rowid(t, rowid)]) return;
  }
  if (t->count >= limit || (t->count * 2 >= t->room && !grow(t))) {
    forget_rowids(t);
    return;
  }
  uint32_t at = place_of_rowid(t, rowid);
  t->rowids[t->count++] = rowid;
  t->index[at] = t->count;
}

/* ---- the table of handles ---- */

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
  uint64_t loaded;      /* when the extension was last loaded into it, in the order of all such loads */

  napi_env env;         /* of `authorizer` */
  napi_ref authorizer;  /* NULL while `authorizing` when its environment is gone: then everything is denied */
  int authorizing, asking, dropping;

  Analysis *analysis;   /* the statement being prepared is only looked at */
  int analyzed, silent;

  int tracking, committing, lost;
  uint32_t limit;
  Table *pending, *committed;
} Handle;

typedef struct {
  Handle *handle;
  uint32_t generation;
} Slot;

/* The only state that outlives a handle; everything in it is read and written under the mutex. */
static struct {
  Slot *slots;
  uint32_t count;
  uint64_t loads;
} table;

#define SLOT_BITS 20
#define MAX_SLOTS (1u << SLOT_BITS)

/* Makes the names of sqlite3.h mean the engine of this handle, through sqlite3ext.h's macros. */
#define ENGINE_OF(h) const sqlite3_api_routines *const sqlite3_api = (h)->api

static int add_handle(Handle *h) {
  int added = 0;
  uint32_t slot = 0;
  lock();
  while (slot < table.count && (table.slots[slot].handle || table.slots[slot].generation == UINT32_MAX)) slot++;
  if (slot == table.count && slot < MAX_SLOTS) {
    uint32_t count = table.count ? table.count * 2 : 16;
    Slot *slots = realloc(table.slots, count * sizeof *slots);
    if (slots) {
      memset(slots + table.count, 0, (count - table.count) * sizeof *slots);
      table.slots = slots;
      table.count = count;
    }
  }
  if (slot < table.count) {
    table.slots[slot].generation++;
    table.slots[slot].handle = h;
    h->slot = slot;
    h->loaded = ++table.loads;
    added = 1;
  }
  unlock();
  return added;
}

static double token_of(const Handle *h) {
  return (double)((uint64_t)table.slots[h->slot].generation << SLOT_BITS | h->slot);
}

/* Call with the mutex held. */
static Handle *find_handle(double token) {
  if (!(token >= 0 && token < 9007199254740992.0)) return NULL;
  uint64_t bits = (uint64_t)token;
  uint32_t slot = (uint32_t)(bits & (MAX_SLOTS - 1));
  if ((double)bits != token || slot >= table.count) return NULL;
  return table.slots[slot].generation == bits >> SLOT_BITS ? table.slots[slot].handle : NULL;
}

static void stop_tracking(Handle *h) {
  ENGINE_OF(h);
  sqlite3_update_hook(h->db, NULL, NULL);
  sqlite3_commit_hook(h->db, NULL, NULL);
  sqlite3_rollback_hook(h->db, NULL, NULL);
  free_tables(&h->pending);
  free_tables(&h->committed);
  h->tracking = h->committing = h->lost = 0;
}

static void release_authorizer(Handle *h) {
  /* A reference belongs to one thread. An engine that closes on another leaks it rather than corrupt it. */
  if (h->authorizer && same_thread(h->owner, this_thread())) N(napi_delete_reference)(h->env, h->authorizer);
  lock();
  h->authorizer = NULL;
  h->env = NULL;
  unlock();
}

/* The destructor of the client data, which SQLite runs early in sqlite3_close(): the handle is still whole, so the
   hooks can be taken out before anything (the rollback of an open transaction) would call them. */
static void drop_handle(void *pointer) {
  Handle *h = pointer;
  ENGINE_OF(h);
  lock();
  table.slots[h->slot].handle = NULL;
  unlock();
  if (h->tracking) stop_tracking(h);
  sqlite3_set_authorizer(h->db, NULL, NULL);
  release_authorizer(h);
  free(h);
}

/* ---- change tracking ---- */

static int read_version(Handle *h, const char *database, unsigned *version) {
  ENGINE_OF(h);
  return sqlite3_file_control(h->db, database, SQLITE_FCNTL_DATA_VERSION, version) == SQLITE_OK;
}

/* The commit hook runs before the commit, which can still fail (SQLITE_BUSY leaves the transaction open). What became
   of it is told later by the version of the content, which grows with a commit and not with a rollback. */
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

static void on_update(void *pointer, int action, const char *database, const char *name, sqlite3_int64 rowid) {
  Handle *h = pointer;
  (void)action;
  settle(h);
  Table *t = table_in(&h->pending, database, name);
  if (t) add_rowid(t, rowid, h->limit);
  else h->lost = 1;
}

static int on_commit(void *pointer) {
  Handle *h = pointer;
  settle(h);
  for (Table *t = h->pending; t; t = t->next) t->versioned = read_version(h, t->database, &t->version);
  h->committing = h->pending != NULL;
  return 0;
}

static void on_rollback(void *pointer) {
  Handle *h = pointer;
  settle(h);
  free_tables(&h->pending);
}

/* ---- the authorizer ---- */

static napi_value string_or_null(napi_env env, const char *text) {
  napi_value value = NULL;
  if (!text || N(napi_create_string_utf8)(env, text, NAPI_AUTO_LENGTH, &value) != napi_ok) N(napi_get_null)(env, &value);
  return value;
}

/* Runs inside sqlite3_prepare(), inside a call of another addon, on the JavaScript thread. No exception may stay
   pending behind it: the other addon would take it for its own. */
static int ask(Handle *h, int action, const char *a, const char *b, const char *database, const char *trigger) {
  napi_env env = h->env;
  napi_handle_scope scope;
  int answer = SQLITE_DENY;
  if (!h->authorizer || h->asking || !same_thread(h->owner, this_thread())) return SQLITE_DENY;
  if (N(napi_open_handle_scope)(env, &scope) != napi_ok) return SQLITE_DENY;

  napi_value function, receiver, result, arguments[5];
  double number;
  if (N(napi_get_reference_value)(env, h->authorizer, &function) == napi_ok && function &&
      N(napi_get_undefined)(env, &receiver) == napi_ok &&
      N(napi_create_int32)(env, action, &arguments[0]) == napi_ok) {
    arguments[1] = string_or_null(env, a);
    arguments[2] = string_or_null(env, b);
    arguments[3] = string_or_null(env, database);
    arguments[4] = string_or_null(env, trigger);
    h->asking = 1;
    if (N(napi_call_function)(env, receiver, function, 5, arguments, &result) == napi_ok &&
        N(napi_get_value_double)(env, result, &number) == napi_ok) {
      if (number == SQLITE_OK) answer = SQLITE_OK;
      if (number == SQLITE_IGNORE) answer = SQLITE_IGNORE;
    }
    h->asking = 0;
  }
  bool thrown = false;
  if (N(napi_is_exception_pending)(env, &thrown) == napi_ok && thrown) {
    napi_value error;
    N(napi_get_and_clear_last_exception)(env, &error);
  }
  N(napi_close_handle_scope)(env, scope);
  return answer;
}

static void look_at(Analysis *analysis, int action, const char *name, const char *column, const char *database) {
  Table **list = &analysis->writes;
  switch (action) {
    case SQLITE_READ:
      list = database && column && *column ? &analysis->reads : &analysis->named;
      /* fall through */
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
      if (name && !table_in(list, database ? database : "", name)) analysis->lost = 1;
      break;
    case SQLITE_PRAGMA:
    case SQLITE_SELECT:
    case SQLITE_TRANSACTION:
    case SQLITE_FUNCTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_RECURSIVE:
      break;
    default: /* every CREATE, DROP, ALTER, REINDEX, ANALYZE, ATTACH and DETACH */
      analysis->schema = 1;
  }
}

static int authorize(void *pointer, int action, const char *a, const char *b, const char *database,
                     const char *trigger) {
  Handle *h = pointer;
  int answer = SQLITE_OK;
  if (h->silent) return SQLITE_OK;
  if (h->analysis) {
    look_at(h->analysis, action, a, b, database);
    return SQLITE_OK;
  }
  if (h->authorizing) answer = ask(h, action, a, b, database, trigger);
  /* A DELETE without WHERE empties the table at once and tells the update hook nothing, unless SQLITE_IGNORE answers
     for its SQLITE_DELETE: then each row is deleted by itself (https://sqlite.org/c3ref/set_authorizer.html). The
     SQLITE_DELETE of a DROP is another matter, IGNORE would skip the DROP; it follows its SQLITE_DROP_* at once. */
  if (h->tracking && action == SQLITE_DELETE && answer == SQLITE_OK && !h->dropping && a &&
      strncmp(a, "sqlite_", 7) != 0) {
    answer = SQLITE_IGNORE;
  }
  h->dropping = answer == SQLITE_OK &&
                (action == SQLITE_DROP_TABLE || action == SQLITE_DROP_TEMP_TABLE || action == SQLITE_DROP_VIEW ||
                 action == SQLITE_DROP_TEMP_VIEW || action == SQLITE_DROP_VTABLE);
  return answer;
}

/* Also makes SQLite prepare every statement again at its next use, under the rules of now. */
static void install_authorizer(Handle *h) {
  ENGINE_OF(h);
  int wanted = h->authorizing || h->analyzed || h->tracking;
  sqlite3_set_authorizer(h->db, wanted ? authorize : NULL, wanted ? h : NULL);
}

/* ---- the extension ---- */

/* Two copies of this binary in one process have two tables, so each needs a name of its own for its client data: the
   address of its table in letters (printf would double the size of the Windows binary). */
#define KEY "sqlite-aio "
static const char *client_key(char key[sizeof KEY + sizeof(uintptr_t) * 2]) {
  uintptr_t address = (uintptr_t)&table;
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
    lock();
    h->loaded = ++table.loads;
    unlock();
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
  /* Unloading would reset the generations, and an old token could come to mean a new handle. */
  return SQLITE_OK_LOAD_PERMANENTLY;
}

/* ---- the addon ---- */

static napi_value fail(napi_env env, const char *code, const char *message) {
  N(napi_throw_error)(env, code, message);
  return NULL;
}

static napi_value wrong_type(napi_env env, const char *message) {
  N(napi_throw_type_error)(env, "ERR_INVALID_ARG_TYPE", message);
  return NULL;
}

static int is_type(napi_env env, napi_value value, napi_valuetype wanted) {
  napi_valuetype type;
  return N(napi_typeof)(env, value, &type) == napi_ok && type == wanted;
}

/* Missing arguments are undefined. */
static int read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values, double *token) {
  if (N(napi_get_cb_info)(env, info, &count, values, NULL, NULL) != napi_ok) return 0;
  if (N(napi_get_value_double)(env, values[0], token) == napi_ok) return 1;
  wrong_type(env, "The token must be a number");
  return 0;
}

/* Only the thread that owns a handle can close it, so what this returns lives until we return to JavaScript. */
static Handle *own_handle(napi_env env, double token) {
  lock();
  Handle *h = find_handle(token);
  int mine = h && same_thread(h->owner, this_thread());
  unlock();
  if (!h) fail(env, "ERR_SQLITE_AIO_NATIVE_CLOSED", "The handle of this token is closed");
  else if (!mine) fail(env, "ERR_SQLITE_AIO_NATIVE_THREAD", "The handle of this token belongs to another thread");
  else if (h->asking) fail(env, "ERR_SQLITE_AIO_NATIVE_BUSY", "Not while the authorizer of the handle is running");
  else return h;
  return NULL;
}

static char *copy_string(napi_env env, napi_value value) {
  size_t length = 0;
  if (N(napi_get_value_string_utf8)(env, value, NULL, 0, &length) != napi_ok) return NULL;
  char *text = malloc(length + 1);
  if (text && N(napi_get_value_string_utf8)(env, value, text, length + 1, &length) != napi_ok) {
    free(text);
    return NULL;
  }
  return text;
}

static napi_value js_boolean(napi_env env, int value) {
  napi_value result = NULL;
  N(napi_get_boolean)(env, value != 0, &result);
  return result;
}

static napi_value last_token(napi_env env, napi_callback_info info) {
  const Handle *last = NULL;
  double token = 0;
  napi_value result = NULL;
  (void)info;
  lock();
  for (uint32_t i = 0; i < table.count; i++) {
    const Handle *h = table.slots[i].handle;
    if (h && same_thread(h->owner, this_thread()) && (!last || h->loaded > last->loaded)) last = h;
  }
  if (last) token = token_of(last);
  unlock();
  if (last) N(napi_create_double)(env, token, &result);
  else N(napi_get_null)(env, &result);
  return result;
}

static napi_value interrupt(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  double token;
  if (!read_arguments(env, info, 1, arguments, &token)) return NULL;
  /* Under the mutex, so that the handle cannot close meanwhile; sqlite3_interrupt() sets a flag and takes no lock. */
  lock();
  Handle *h = find_handle(token);
  if (h) {
    ENGINE_OF(h);
    sqlite3_interrupt(h->db);
  }
  unlock();
  return js_boolean(env, h != NULL);
}

static napi_value set_authorizer(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  napi_ref reference = NULL;
  double token;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  int given = is_type(env, arguments[1], napi_function);
  if (!given && !is_type(env, arguments[1], napi_null)) return wrong_type(env, "The authorizer must be a function or null");
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  if (given && N(napi_create_reference)(env, arguments[1], 1, &reference) != napi_ok) return NULL;
  release_authorizer(h);
  lock();
  h->env = given ? env : NULL;
  h->authorizer = reference;
  unlock();
  h->authorizing = given;
  install_authorizer(h);
  return NULL;
}

static napi_value track_changes(napi_env env, napi_callback_info info) {
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
  ENGINE_OF(h);
  h->limit = (uint32_t)limit;
  if (on == (h->tracking != 0)) return NULL;
  if (on) {
    sqlite3_update_hook(h->db, on_update, h);
    sqlite3_commit_hook(h->db, on_commit, h);
    sqlite3_rollback_hook(h->db, on_rollback, h);
    h->tracking = 1;
  } else {
    stop_tracking(h);
  }
  install_authorizer(h);
  return NULL;
}

static napi_value mark_changed(napi_env env, napi_callback_info info) {
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

static void set_string(napi_env env, napi_value object, const char *key, const char *text) {
  N(napi_set_named_property)(env, object, key, string_or_null(env, text));
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

static napi_value take_changes(napi_env env, napi_callback_info info) {
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
    return fail(env, "ERR_SQLITE_AIO_NATIVE_MEMORY", "There was no memory to note a change: any table may have changed");
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

static napi_value pairs_of(napi_env env, const Table *t) {
  napi_value list, pair;
  uint32_t count = 0;
  N(napi_create_array_with_length)(env, 0, &list);
  for (; t; t = t->next) {
    N(napi_create_array_with_length)(env, 2, &pair);
    N(napi_set_element)(env, pair, 0, string_or_null(env, t->database));
    N(napi_set_element)(env, pair, 1, string_or_null(env, t->name));
    N(napi_set_element)(env, list, count++, pair);
  }
  return list;
}

/* Adds to `found` what `sql` selects for each of the tables, given its name and its database. */
static int look_up(Handle *h, const char *sql, const Table *t, Table **found) {
  ENGINE_OF(h);
  sqlite3_stmt *statement = NULL;
  if (!t) return 1;
  h->silent = 1;
  int status = sqlite3_prepare_v2(h->db, sql, -1, &statement, NULL);
  for (; t && status == SQLITE_OK; t = t->next) {
    sqlite3_bind_text(statement, 1, t->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, t->database, -1, SQLITE_STATIC);
    while (sqlite3_step(statement) == SQLITE_ROW) {
      const char *database = (const char *)sqlite3_column_text(statement, 0);
      const char *name = (const char *)sqlite3_column_text(statement, 1);
      if (!database || !name || !table_in(found, database, name)) status = SQLITE_NOMEM;
    }
    if (sqlite3_reset(statement) != SQLITE_OK) status = SQLITE_ERROR;
  }
  sqlite3_finalize(statement);
  h->silent = 0;
  return status == SQLITE_OK;
}

/* The schema table is listed under its new name and found under its old one, which is also the authorizer's. */
static const char named_tables[] =
  "SELECT schema, CASE name WHEN 'sqlite_schema' THEN 'sqlite_master' ELSE name END"
  " FROM pragma_table_list(CASE lower(?1) WHEN 'sqlite_schema' THEN 'sqlite_master' ELSE ?1 END)"
  " WHERE ?2 = '' OR schema = ?2 COLLATE NOCASE";

/* The update hook is called for neither. */
static const char untracked_tables[] =
  "SELECT schema, name FROM pragma_table_list(?1) WHERE schema = ?2 AND (wr OR type = 'virtual')";

static napi_value sqlite_failure(napi_env env, Handle *h) {
  ENGINE_OF(h);
  napi_value message = string_or_null(env, sqlite3_errmsg(h->db)), error = NULL, errcode;
  if (N(napi_create_error)(env, NULL, message, &error) == napi_ok) {
    set_string(env, error, "code", "ERR_SQLITE_AIO_NATIVE_SQL");
    N(napi_create_int32)(env, sqlite3_extended_errcode(h->db), &errcode);
    N(napi_set_named_property)(env, error, "errcode", errcode);
    N(napi_throw)(env, error);
  }
  return NULL;
}

static napi_value analyze(napi_env env, napi_callback_info info) {
  napi_value arguments[2], result = NULL;
  double token;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  if (!is_type(env, arguments[1], napi_string)) return wrong_type(env, "sql must be a string");
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  ENGINE_OF(h);
  char *sql = copy_string(env, arguments[1]);
  if (!sql) return fail(env, "ERR_SQLITE_AIO_NATIVE_MEMORY", "There is no memory for the SQL text");
  if (!h->analyzed) {
    h->analyzed = 1;
    /* It stays, since taking it out again would make every statement of the handle be prepared anew. */
    if (!h->authorizing && !h->tracking) install_authorizer(h);
  }

  Analysis analysis = {NULL, NULL, NULL, 0, 0};
  Table *untracked = NULL;
  sqlite3_stmt *statement = NULL;
  h->analysis = &analysis;
  int status = sqlite3_prepare_v2(h->db, sql, -1, &statement, NULL);
  h->analysis = NULL;
  int readonly = sqlite3_stmt_readonly(statement);
  if (status == SQLITE_OK) sqlite3_finalize(statement);
  free(sql);
  if (status != SQLITE_OK || !look_up(h, named_tables, analysis.named, &analysis.reads) ||
      !look_up(h, untracked_tables, analysis.writes, &untracked)) {
    sqlite_failure(env, h);
  } else if (analysis.lost) {
    fail(env, "ERR_SQLITE_AIO_NATIVE_MEMORY", "There is no memory for the tables of the statement");
  } else if (N(napi_create_object)(env, &result) == napi_ok) {
    N(napi_set_named_property)(env, result, "reads", pairs_of(env, analysis.reads));
    N(napi_set_named_property)(env, result, "writes", pairs_of(env, analysis.writes));
    N(napi_set_named_property)(env, result, "untracked", pairs_of(env, untracked));
    N(napi_set_named_property)(env, result, "readonly", js_boolean(env, readonly));
    N(napi_set_named_property)(env, result, "schema", js_boolean(env, analysis.schema));
  }
  free_tables(&analysis.reads);
  free_tables(&analysis.writes);
  free_tables(&analysis.named);
  free_tables(&untracked);
  return result;
}

/* The environment of a thread ends, in any order with the handles it opened. */
static void forget_environment(napi_env env, void *data, void *hint) {
  (void)data;
  (void)hint;
  for (;;) {
    napi_ref reference = NULL;
    lock();
    for (uint32_t i = 0; i < table.count && !reference; i++) {
      Handle *h = table.slots[i].handle;
      if (!h || h->env != env) continue;
      reference = h->authorizer;
      h->authorizer = NULL;
      h->env = NULL;
    }
    unlock();
    if (!reference) return;
    N(napi_delete_reference)(env, reference);
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
  if (N(napi_set_instance_data)(env, &table, forget_environment, NULL) != napi_ok) return NULL;
  export_function(env, exports, "lastToken", last_token);
  export_function(env, exports, "interrupt", interrupt);
  export_function(env, exports, "setAuthorizer", set_authorizer);
  export_function(env, exports, "trackChanges", track_changes);
  export_function(env, exports, "takeChanges", take_changes);
  export_function(env, exports, "markChanged", mark_changed);
  export_function(env, exports, "analyze", analyze);
  set_string(env, exports, "version", SQLITE_AIO_VERSION);
  return exports;
}
