/* Opens databases that need a URI parameter (https://sqlite.org/uri.html) in engines that are built without URIs. */
#ifndef SQLITE_AIO_VFS_H
#define SQLITE_AIO_VFS_H
#include "handles.h"

/* Called from JavaScript. */
napi_value use_prefixes(napi_env env, napi_callback_info info);

#endif
