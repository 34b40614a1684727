#include "js.h"
#include "result-codes.h"

napi_value string_or_null(napi_env env, const char *text) {
  napi_value value = NULL;
  if (!text || N(napi_create_string_utf8)(env, text, NAPI_AUTO_LENGTH, &value) != napi_ok)
    N(napi_get_null)(env, &value);
  return value;
}

napi_value fail(napi_env env, const char *code, const char *message) {
  N(napi_throw_error)(env, code, message);
  return NULL;
}

napi_value wrong_type(napi_env env, const char *message) {
  N(napi_throw_type_error)(env, "ERR_INVALID_ARG_TYPE", message);
  return NULL;
}

int is_type(napi_env env, napi_value value, napi_valuetype wanted) {
  napi_valuetype type;
  return N(napi_typeof)(env, value, &type) == napi_ok && type == wanted;
}

/* Missing arguments are undefined. */
int read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values, double *token) {
  if (N(napi_get_cb_info)(env, info, &count, values, NULL, NULL) != napi_ok) return 0;
  if (N(napi_get_value_double)(env, values[0], token) == napi_ok) return 1;
  wrong_type(env, "The token must be a number");
  return 0;
}

/* Only its owning thread can close a handle, so the handle stays valid until this call returns to JavaScript. */
Handle *own_handle(napi_env env, double token) {
  lock();
  Handle *h = find_handle(token);
  int mine = h && same_thread(h->owner, this_thread());
  unlock();
  if (!h) fail(env, "ERR_SQLITE_AIO_NATIVE_CLOSED", "The handle of this token is closed");
  else if (!mine) fail(env, "ERR_SQLITE_AIO_NATIVE_THREAD", "The handle of this token belongs to another thread");
  else if (h->asking) fail(env, "ERR_SQLITE_AIO_NATIVE_BUSY", "Not while the authorizer of the handle is running");
  else if (h->working) fail(env, "ERR_SQLITE_AIO_NATIVE_BUSY", "Not while a statement of the handle is running");
  else return h;
  return NULL;
}

char *copy_string(napi_env env, napi_value value) {
  size_t length = 0;
  if (N(napi_get_value_string_utf8)(env, value, NULL, 0, &length) != napi_ok) return NULL;
  char *text = malloc(length + 1);
  if (text && N(napi_get_value_string_utf8)(env, value, text, length + 1, &length) != napi_ok) {
    free(text);
    return NULL;
  }
  return text;
}

napi_value js_boolean(napi_env env, int value) {
  napi_value result = NULL;
  N(napi_get_boolean)(env, value != 0, &result);
  return result;
}

void set_string(napi_env env, napi_value object, const char *key, const char *text) {
  N(napi_set_named_property)(env, object, key, string_or_null(env, text));
}

napi_value js_number(napi_env env, double value) {
  napi_value result = NULL;
  N(napi_create_double)(env, value, &result);
  return result;
}

napi_value out_of_memory(napi_env env) {
  return fail(env, "ERR_SQLITE_AIO_NATIVE_MEMORY", "There is no memory for this");
}

int read_count(napi_env env, napi_value value, double most, const char *what, double *count) {
  if (N(napi_get_value_double)(env, value, count) == napi_ok && *count >= 0 && *count <= most) return 1;
  wrong_type(env, what);
  return 0;
}

void *typed_array(napi_env env, napi_value value, napi_typedarray_type wanted, size_t *length) {
  /* The memory of an empty array may be NULL. That must not be taken for a missing array. */
  static uint64_t nothing;
  napi_typedarray_type type;
  void *data = NULL;
  bool is = false;
  *length = 0;
  if (N(napi_is_typedarray)(env, value, &is) != napi_ok || !is) return NULL;
  if (N(napi_get_typedarray_info)(env, value, &type, length, &data, NULL, NULL) != napi_ok || type != wanted) {
    *length = 0;
    return NULL;
  }
  return *length == 0 || !data ? (*length = 0, (void *)&nothing) : data;
}

void throw_sqlite(napi_env env, const Handle *h, int code, const char *message) {
  ENGINE_OF(h);
  char room[UNKNOWN_CODE_ROOM];
  napi_value error = NULL, errcode;
  if (N(napi_create_error)(env, NULL, string_or_null(env, message ? message : sqlite3_errstr(code)), &error) != napi_ok)
    return;
  set_string(env, error, "code", name_of_code(code, room));
  if (N(napi_create_int32)(env, code, &errcode) == napi_ok) N(napi_set_named_property)(env, error, "errcode", errcode);
  N(napi_throw)(env, error);
}
