#include "bind.h"
#include "js.h"

#define MAX_SAFE 9007199254740991.0

int bind_number(const Handle *h, sqlite3_stmt *stmt, int index, double value) {
  ENGINE_OF(h);
  if (value >= -MAX_SAFE && value <= MAX_SAFE) {
    sqlite3_int64 integer = (sqlite3_int64)value;
    if ((double)integer == value && (integer != 0 || !signbit(value))) return sqlite3_bind_int64(stmt, index, integer);
  }
  return sqlite3_bind_double(stmt, index, value);
}

char *utf8_of(napi_env env, napi_value value, size_t *length) {
  size_t units = 0;
  if (N(napi_get_value_string_utf16)(env, value, NULL, 0, &units) != napi_ok) return NULL;
  /* At most three bytes per unit. Counting the bytes first would be a second pass. */
  char *text = malloc(units * 3 + 1);
  if (text && N(napi_get_value_string_utf8)(env, value, text, units * 3 + 1, length) != napi_ok) {
    free(text);
    return NULL;
  }
  return text;
}

/* Returns SQLite's result code, or -1 after throwing. */
static int bind_value(napi_env env, const Handle *h, Statement *s, int index, napi_value value) {
  ENGINE_OF(h);
  napi_valuetype type;
  double number;
  size_t length = 0;
  if (N(napi_typeof)(env, value, &type) != napi_ok) return -1;
  switch (type) {
    case napi_null:
      return sqlite3_bind_null(s->stmt, index);
    case napi_number:
      N(napi_get_value_double)(env, value, &number);
      return bind_number(h, s->stmt, index, number);
    case napi_bigint: {
      int64_t integer;
      bool whole;
      N(napi_get_value_bigint_int64)(env, value, &integer, &whole);
      if (whole) return sqlite3_bind_int64(s->stmt, index, integer);
      break;
    }
    case napi_string: {
      char *text = utf8_of(env, value, &length);
      if (!text) return SQLITE_NOMEM;
      s->heavy = 1;
      return sqlite3_bind_text64(s->stmt, index, text, length, free, SQLITE_UTF8);
    }
    case napi_object: {
      const void *bytes = typed_array(env, value, napi_uint8_array, &length);
      if (!bytes) break;
      s->heavy = 1;
      return sqlite3_bind_blob64(s->stmt, index, bytes, length, SQLITE_TRANSIENT);
    }
    default:
      break;
  }
  wrong_type(env, "A value to bind must be null, a number, a bigint of 64 bits, a string or a Uint8Array");
  return -1;
}

napi_value bind_values(napi_env env, napi_callback_info info) {
  napi_value arguments[3], value;
  double token;
  uint32_t count = 0;
  if (!read_arguments(env, info, 3, arguments, &token)) return NULL;
  if (N(napi_get_array_length)(env, arguments[2], &count) != napi_ok)
    return wrong_type(env, "The values must be an array");
  Handle *h = own_handle(env, token);
  Statement *s = h ? statement_of(env, h, arguments[1]) : NULL;
  if (!s) return NULL;
  if (count != (uint32_t)s->parameters) {
    throw_sqlite(env, h, SQLITE_RANGE, NULL);
    return NULL;
  }
  end_run(h, s);
  drop_failure(h, &s->failure);
  int code = SQLITE_OK;
  /* An element may be a getter, and the getter must not finalize the statement. */
  h->working = 1;
  for (uint32_t i = 0; i < count && code == SQLITE_OK; i++) {
    napi_handle_scope scope;
    if (N(napi_open_handle_scope)(env, &scope) != napi_ok) break;
    code = N(napi_get_element)(env, arguments[2], i, &value) == napi_ok ? bind_value(env, h, s, (int)i + 1, value) : -1;
    N(napi_close_handle_scope)(env, scope);
  }
  h->working = 0;
  if (code > 0) throw_sqlite(env, h, code, NULL);
  return NULL;
}
