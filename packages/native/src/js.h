/* Values of JavaScript, and errors for it. Functions that give NULL have thrown. */
#ifndef SQLITE_AIO_JS_H
#define SQLITE_AIO_JS_H
#include "handles.h"

napi_value fail(napi_env env, const char *code, const char *message);
napi_value wrong_type(napi_env env, const char *message);
napi_value out_of_memory(napi_env env);
int is_type(napi_env env, napi_value value, napi_valuetype wanted);
int read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values, double *token);
Handle *own_handle(napi_env env, double token);
/* NULL without memory, or for what is no string. */
char *copy_string(napi_env env, napi_value value);
napi_value string_or_null(napi_env env, const char *text);
napi_value js_boolean(napi_env env, int value);
napi_value js_number(napi_env env, double value);
void set_string(napi_env env, napi_value object, const char *key, const char *text);
/* A number from 0 to `most`; without one it has thrown a TypeError that names `what`. */
int read_count(napi_env env, napi_value value, double most, const char *what, double *count);
/* The memory of a typed array of this type, and its length in elements; NULL and no error for anything else. */
void *typed_array(napi_env env, napi_value value, napi_typedarray_type wanted, size_t *length);

/* An error with SQLite's name of `code` as its code; `message` NULL: what SQLite says of the code. */
void throw_sqlite(napi_env env, const Handle *h, int code, const char *message);

#endif
