/* Results, stepped and packed. */
#ifndef SQLITE_AIO_ROWS_H
#define SQLITE_AIO_ROWS_H
#include "statements.h"

/* For JavaScript. */
napi_value rows(napi_env env, napi_callback_info info);

#endif
