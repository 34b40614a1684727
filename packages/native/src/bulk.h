/* Runs a statement once for each of many parameter sets. */
#ifndef SQLITE_AIO_BULK_H
#define SQLITE_AIO_BULK_H
#include "statements.h"

/* Called from JavaScript. */
napi_value run_many(napi_env env, napi_callback_info info);

#endif
