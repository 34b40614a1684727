#include "statements.h"
#include "blobs.h"
#include "js.h"

#define SLOT_BITS 20
#define MAX_STATEMENTS (1u << SLOT_BITS)

/* ---- their life ---- */

static Statement **free_place(Handle *h) {
  uint32_t at = 0;
  while (at < h->statement_count && h->statements[at]) at++;
  if (at == h->statement_count) {
    if (at == MAX_STATEMENTS) return NULL;
    uint32_t count = at ? at * 2 : 16;
    Statement **places = realloc(h->statements, count * sizeof *places);
    if (!places) return NULL;
    memset(places + at, 0, (count - at) * sizeof *places);
    h->statements = places;
    h->statement_count = count;
  }
  return &h->statements[at];
}

Statement *find_statement(const Handle *h, double id) {
  if (!(id >= 0 && id < 9007199254740992.0)) return NULL;
  uint64_t slot = (uint64_t)id & (MAX_STATEMENTS - 1);
  Statement *s = slot < h->statement_count ? h->statements[slot] : NULL;
  return s && s->id == id ? s : NULL;
}

Statement *statement_of(napi_env env, const Handle *h, napi_value id) {
  double number;
  if (N(napi_get_value_double)(env, id, &number) != napi_ok) {
    wrong_type(env, "The statement must be a number");
    return NULL;
  }
  Statement *s = find_statement(h, number);
  if (!s) fail(env, "ERR_SQLITE_AIO_NATIVE_FINALIZED", "The statement is finalized");
  return s;
}

static void free_statement(const Handle *h, Statement *s) {
  ENGINE_OF(h);
  sqlite3_finalize(s->stmt);
  drop_failure(h, &s->failure);
  free(s->habits);
  free(s);
}

void finalize_statements(Handle *h) {
  for (uint32_t i = 0; i < h->statement_count; i++) {
    if (h->statements[i]) free_statement(h, h->statements[i]);
  }
  free(h->statements);
  h->statements = NULL;
  h->statement_count = 0;
}

/* When a thread ends, the engine's addon closes the handles that are left. It cannot close one that has statements, and
   SQLITE_TRACE_CLOSE is missing if an extension has replaced the trace. So this cleanup hook finalizes the statements.
   Such hooks run in reverse order: this one is added after the one of the engine's addon, so it runs before. */
struct EndOfThread {
  napi_env env;
  double token;
};

static void on_end_of_thread(void *pointer) {
  EndOfThread *end = pointer;
  lock();
  Handle *h = find_handle(end->token);
  unlock();
  if (h) {
    h->end = NULL;
    finalize_statements(h);
    close_blobs(h);
  }
  free(end);
}

int expect_end(napi_env env, Handle *h, double token) {
  if (h->end) return 1;
  EndOfThread *end = malloc(sizeof *end);
  if (!end) return 0;
  *end = (EndOfThread){env, token};
  if (N(napi_add_env_cleanup_hook)(env, on_end_of_thread, end) != napi_ok) {
    free(end);
    return 0;
  }
  h->end = end;
  return 1;
}

void forget_end(Handle *h) {
  EndOfThread *end = h->end;
  h->end = NULL;
  /* If another thread closes the handle, the hook of the owning thread finds no handle. */
  if (!end || !same_thread(h->owner, this_thread())) return;
  if (N(napi_remove_env_cleanup_hook)(end->env, on_end_of_thread, end) == napi_ok) free(end);
}

int recount_columns(const Handle *h, Statement *s) {
  ENGINE_OF(h);
  int reprepares = sqlite3_stmt_status(s->stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
  if (reprepares == s->reprepares) return 0;
  int count = sqlite3_column_count(s->stmt);
  s->reprepares = reprepares;
  if (count != s->columns) {
    free(s->habits);
    s->habits = NULL;
  }
  s->columns = count;
  return 1;
}

int stop_run(const Handle *h, Statement *s) {
  ENGINE_OF(h);
  s->ahead = 0;
  return sqlite3_reset(s->stmt);
}

int end_run(const Handle *h, Statement *s) {
  ENGINE_OF(h);
  int code = stop_run(h, s);
  if (s->heavy) sqlite3_clear_bindings(s->stmt);
  s->heavy = 0;
  return code;
}

/* ---- for JavaScript ---- */

/* Whether only space, comments and semicolons follow. */
static int is_over(const char *sql) {
  for (;;) {
    while (*sql == ' ' || (*sql >= '\t' && *sql <= '\r') || *sql == ';') sql++;
    if (sql[0] == '-' && sql[1] == '-') {
      sql += strcspn(sql, "\n");
    } else if (sql[0] == '/' && sql[1] == '*') {
      const char *end = strstr(sql + 2, "*/");
      if (!end) return 1;
      sql = end + 2;
    } else {
      return *sql == 0;
    }
  }
}

typedef struct {
  Work work;
  const char *sql;
  sqlite3_stmt *stmt;
  const char *tail;
} Preparing;

static void run_prepare(Handle *h, Work *work) {
  Preparing *p = (Preparing *)work;
  ENGINE_OF(h);
  int code = sqlite3_prepare_v3(h->db, p->sql, -1, SQLITE_PREPARE_PERSISTENT, &p->stmt, &p->tail);
  if (code != SQLITE_OK) note_failure(h, &work->failure, code);
}

static napi_value describe(napi_env env, const Handle *h, const Statement *s) {
  ENGINE_OF(h);
  napi_value result = NULL;
  if (N(napi_create_object)(env, &result) != napi_ok) return NULL;
  N(napi_set_named_property)(env, result, "id", js_number(env, s->id));
  N(napi_set_named_property)(env, result, "columns", js_number(env, s->columns));
  N(napi_set_named_property)(env, result, "parameters", js_number(env, s->parameters));
  N(napi_set_named_property)(env, result, "readonly", js_boolean(env, sqlite3_stmt_readonly(s->stmt)));
  return result;
}

napi_value prepare(napi_env env, napi_callback_info info) {
  napi_value arguments[2], result = NULL;
  double token;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  if (!is_type(env, arguments[1], napi_string)) return wrong_type(env, "sql must be a string");
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  ENGINE_OF(h);
  char *sql = copy_string(env, arguments[1]);
  Statement **place = sql && expect_end(env, h, token) ? free_place(h) : NULL;
  Statement *s = place ? calloc(1, sizeof *s) : NULL;
  if (!s) {
    free(sql);
    return out_of_memory(env);
  }
  Preparing p = {{run_prepare, {0, NULL, NULL, NULL}}, sql, NULL, NULL};
  if (!perform(env, h, &p.work)) {
    /* The guard threw after the statement was prepared. */
    sqlite3_finalize(p.stmt);
    throw_failure(env, h, &p.work.failure);
  } else if (!p.stmt) {
    N(napi_get_null)(env, &result);
  } else if (!is_over(p.tail)) {
    sqlite3_finalize(p.stmt);
    fail(env, "ERR_SQLITE_AIO_NATIVE_MULTIPLE", "The text holds more than one statement");
  } else {
    s->stmt = p.stmt;
    s->columns = sqlite3_column_count(s->stmt);
    s->parameters = sqlite3_bind_parameter_count(s->stmt);
    s->reprepares = sqlite3_stmt_status(s->stmt, SQLITE_STMTSTATUS_REPREPARE, 0);
    s->id = (double)((uint64_t)++h->generation << SLOT_BITS | (uint64_t)(place - h->statements));
    result = describe(env, h, s);
    *place = s;
    s = NULL;
  }
  free(s);
  free(sql);
  return result;
}

napi_value finalize(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  double token, id;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  int one = !is_type(env, arguments[1], napi_undefined);
  if (one && N(napi_get_value_double)(env, arguments[1], &id) != napi_ok)
    return wrong_type(env, "The statement must be a number");
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  if (!one) {
    finalize_statements(h);
    return NULL;
  }
  Statement *s = find_statement(h, id);
  if (!s) return NULL;
  h->statements[(uint64_t)id & (MAX_STATEMENTS - 1)] = NULL;
  free_statement(h, s);
  return NULL;
}

napi_value reset(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  double token;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  Handle *h = own_handle(env, token);
  Statement *s = h ? statement_of(env, h, arguments[1]) : NULL;
  if (!s) return NULL;
  end_run(h, s);
  drop_failure(h, &s->failure);
  return NULL;
}

napi_value columns(napi_env env, napi_callback_info info) {
  napi_value arguments[2], list = NULL, column;
  double token;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  Handle *h = own_handle(env, token);
  Statement *s = h ? statement_of(env, h, arguments[1]) : NULL;
  if (!s) return NULL;
  ENGINE_OF(h);
  int count = sqlite3_column_count(s->stmt);
  N(napi_create_array_with_length)(env, (size_t)count, &list);
  for (int i = 0; i < count; i++) {
    napi_handle_scope scope;
    if (N(napi_open_handle_scope)(env, &scope) != napi_ok) return NULL;
    if (N(napi_create_object)(env, &column) == napi_ok) {
      set_string(env, column, "name", sqlite3_column_name(s->stmt, i));
      set_string(env, column, "type", sqlite3_column_decltype(s->stmt, i));
      /* NULL in the table of an engine that was built without SQLITE_ENABLE_COLUMN_METADATA. */
      int origins = sqlite3_api->column_database_name && sqlite3_api->column_table_name &&
                    sqlite3_api->column_origin_name;
      set_string(env, column, "database", origins ? sqlite3_column_database_name(s->stmt, i) : NULL);
      set_string(env, column, "table", origins ? sqlite3_column_table_name(s->stmt, i) : NULL);
      set_string(env, column, "column", origins ? sqlite3_column_origin_name(s->stmt, i) : NULL);
      N(napi_set_element)(env, list, (uint32_t)i, column);
    }
    N(napi_close_handle_scope)(env, scope);
  }
  return list;
}
