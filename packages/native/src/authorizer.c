#include "authorizer.h"
#include "hooks.h"
#include "js.h"

/* Runs on the JavaScript thread, in sqlite3_prepare(), which another addon may have called. No exception may stay
   pending: that addon would take it for its own. */
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
    default: /* all CREATE, DROP, ALTER, REINDEX, ANALYZE, ATTACH and DETACH */
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
  /* SQLite runs a DELETE without WHERE at once, without calling the update hook. If the answer to its SQLITE_DELETE is
     SQLITE_IGNORE, SQLite deletes the rows one by one instead (https://sqlite.org/c3ref/set_authorizer.html). Not for
     the SQLITE_DELETE that directly follows a SQLITE_DROP_*: IGNORE would skip the DROP. */
  if (watches_rows(h) && action == SQLITE_DELETE && answer == SQLITE_OK && !h->dropping && a &&
      strncmp(a, "sqlite_", 7) != 0) {
    answer = SQLITE_IGNORE;
  }
  h->dropping = answer == SQLITE_OK &&
                (action == SQLITE_DROP_TABLE || action == SQLITE_DROP_TEMP_TABLE || action == SQLITE_DROP_VIEW ||
                 action == SQLITE_DROP_TEMP_VIEW || action == SQLITE_DROP_VTABLE);
  return answer;
}

/* SQLite also prepares every statement again at its next use, by the new rules. */
void install_authorizer(Handle *h) {
  ENGINE_OF(h);
  int wanted = h->authorizing || h->analyzed || watches_rows(h);
  sqlite3_set_authorizer(h->db, wanted ? authorize : NULL, wanted ? h : NULL);
}

napi_value set_authorizer(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  napi_ref reference = NULL;
  double token;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  int given = is_type(env, arguments[1], napi_function);
  if (!given && !is_type(env, arguments[1], napi_null))
    return wrong_type(env, "The authorizer must be a function or null");
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  if (given && N(napi_create_reference)(env, arguments[1], 1, &reference) != napi_ok) return NULL;
  replace_reference(h, env, &h->authorizer, reference);
  h->authorizing = given;
  install_authorizer(h);
  return NULL;
}
