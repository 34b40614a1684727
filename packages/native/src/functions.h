/* JavaScript functions, aggregates and collations that better-sqlite3 does not have, or not with these flags. */
#ifndef SQLITE_AIO_FUNCTIONS_H
#define SQLITE_AIO_FUNCTIONS_H
#include "handles.h"

/* Called when the environment of a thread ends: its functions are not called any more. */
void forget_functions(napi_env env);

/* Called from JavaScript. */
napi_value define_function(napi_env env, napi_callback_info info);
napi_value define_collation(napi_env env, napi_callback_info info);

#endif
