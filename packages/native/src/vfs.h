/* Databases that need a parameter of a URI (https://sqlite.org/uri.html), for engines that are built without them. */
#ifndef SQLITE_AIO_VFS_H
#define SQLITE_AIO_VFS_H
#include "handles.h"

/* For JavaScript. */
napi_value use_prefixes(napi_env env, napi_callback_info info);

#endif
