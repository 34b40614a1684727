#include "analyze.h"
#include "authorizer.h"
#include "hooks.h"
#include "js.h"

napi_value pairs_of(napi_env env, const Table *t) {
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

/* Runs `sql` for the name and the database of each table, and adds the tables that it selects to `found`. */
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

/* The schema table is listed under its new name, but is looked up under its old one. The authorizer gets the old name
   too. */
static const char named_tables[] =
  "SELECT schema, CASE name WHEN 'sqlite_schema' THEN 'sqlite_master' ELSE name END"
  " FROM pragma_table_list(CASE lower(?1) WHEN 'sqlite_schema' THEN 'sqlite_master' ELSE ?1 END)"
  " WHERE ?2 = '' OR schema = ?2 COLLATE NOCASE";

/* SQLite does not call the update hook for these tables. */
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

napi_value analyze(napi_env env, napi_callback_info info) {
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
    /* The authorizer stays: removing it would make SQLite prepare every statement of the handle again. */
    if (!h->authorizing && !watches_rows(h)) install_authorizer(h);
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
