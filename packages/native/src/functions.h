/* Functions, aggregates and collations of JavaScript's, which better-sqlite3 has not, or not with these flags. */
#ifndef SQLITE_AIO_FUNCTIONS_H
#define SQLITE_AIO_FUNCTIONS_H
#include "handles.h"

/* The environment of a thread ends: none of its functions is called again. */
void forget_functions(napi_env env);

/* For JavaScript. */
napi_value define_function(napi_env env, napi_callback_info info);
napi_value define_collation(napi_env env, napi_callback_info info);

#endif
