/* Finds the tables that a statement would read or write. */
#ifndef SQLITE_AIO_ANALYZE_H
#define SQLITE_AIO_ANALYZE_H
#include "handles.h"

/* The tables as `[database, table]`. */
napi_value pairs_of(napi_env env, const Table *t);

/* Called from JavaScript. */
napi_value analyze(napi_env env, napi_callback_info info);

#endif
