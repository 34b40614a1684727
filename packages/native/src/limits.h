/* Limits and switches of a handle, https://sqlite.org/c3ref/limit.html and https://sqlite.org/c3ref/db_config.html. */
#ifndef SQLITE_AIO_LIMITS_H
#define SQLITE_AIO_LIMITS_H
#include "handles.h"

/* Called from JavaScript. */
napi_value limit(napi_env env, napi_callback_info info);
napi_value config(napi_env env, napi_callback_info info);

#endif
