/* Watches the environments of Workers that have nested threads: when a Worker is ended, the statements of these threads
   are stopped. */
#ifndef SQLITE_AIO_ENVIRONMENTS_H
#define SQLITE_AIO_ENVIRONMENTS_H
#include "handles.h"

napi_value environment(napi_env env, napi_callback_info info);
napi_value stop_with(napi_env env, napi_callback_info info);

#endif
