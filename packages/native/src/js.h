/* JavaScript values and errors. A function that returns NULL has thrown. */
#ifndef SQLITE_AIO_JS_H
#define SQLITE_AIO_JS_H
#include "handles.h"

napi_value fail(napi_env env, const char *code, const char *message);
napi_value wrong_type(napi_env env, const char *message);
napi_value out_of_memory(napi_env env);
int is_type(napi_env env, napi_value value, napi_valuetype wanted);
int read_arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values, double *token);
Handle *own_handle(napi_env env, double token);
/* A copy of a string, to be freed; NULL if there is no memory or it is not a string. */
char *copy_string(napi_env env, napi_value value);
napi_value string_or_null(napi_env env, const char *text);
napi_value js_boolean(napi_env env, int value);
napi_value js_number(napi_env env, double value);
void set_string(napi_env env, napi_value object, const char *key, const char *text);
/* Reads a number from 0 to `most`. Otherwise throws a TypeError with the message `what` and returns false. */
int read_count(napi_env env, napi_value value, double most, const char *what, double *count);
/* The memory and length (in elements) of a typed array of this type. For other values returns NULL without throwing. */
void *typed_array(napi_env env, napi_value value, napi_typedarray_type wanted, size_t *length);

/* Throws an error whose `code` is SQLite's name of `code`. If `message` is NULL, SQLite's text for the code. */
void throw_sqlite(napi_env env, const Handle *h, int code, const char *message);

#endif
