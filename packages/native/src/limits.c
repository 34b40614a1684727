#include "limits.h"
#include "js.h"

/* The switches, which take a number and a pointer to a number. Codes outside this range may take other arguments. */
enum { FIRST_SWITCH = SQLITE_DBCONFIG_ENABLE_FKEY, LAST_SWITCH = 1022 };

napi_value limit(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  double token;
  int32_t category, value;
  if (!read_arguments(env, info, 3, arguments, &token)) return NULL;
  if (N(napi_get_value_int32)(env, arguments[1], &category) != napi_ok ||
      N(napi_get_value_int32)(env, arguments[2], &value) != napi_ok) {
    return wrong_type(env, "category and limit must be numbers");
  }
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  ENGINE_OF(h);
  return js_number(env, sqlite3_limit(h->db, category, value));
}

napi_value config(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  double token;
  int32_t op;
  bool enable = false;
  int now = 0;
  if (!read_arguments(env, info, 3, arguments, &token)) return NULL;
  if (N(napi_get_value_int32)(env, arguments[1], &op) != napi_ok) return wrong_type(env, "op must be a number");
  int sets = !is_type(env, arguments[2], napi_undefined);
  if (sets && N(napi_get_value_bool)(env, arguments[2], &enable) != napi_ok) {
    return wrong_type(env, "enable must be a boolean");
  }
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  ENGINE_OF(h);
  int status = op < FIRST_SWITCH || op > LAST_SWITCH ? SQLITE_ERROR : sqlite3_db_config(h->db, op, sets ? enable : -1, &now);
  if (status == SQLITE_OK) return js_boolean(env, now);
  throw_sqlite(env, h, status, NULL);
  return NULL;
}
