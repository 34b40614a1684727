/* Replaces the contents of a database: https://sqlite.org/c3ref/deserialize.html and backup_finish.html. */
#ifndef SQLITE_AIO_IMAGES_H
#define SQLITE_AIO_IMAGES_H
#include "handles.h"

/* Called from JavaScript. */
napi_value deserialize(napi_env env, napi_callback_info info);
napi_value copy_into(napi_env env, napi_callback_info info);

#endif
