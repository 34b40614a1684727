/* Databases in memory with contents that somebody gives, https://sqlite.org/c3ref/deserialize.html. */
#ifndef SQLITE_AIO_IMAGES_H
#define SQLITE_AIO_IMAGES_H
#include "handles.h"

/* For JavaScript. */
napi_value deserialize(napi_env env, napi_callback_info info);

#endif
