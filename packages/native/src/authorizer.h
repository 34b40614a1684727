/* What statements may do, asked when they are prepared. */
#ifndef SQLITE_AIO_AUTHORIZER_H
#define SQLITE_AIO_AUTHORIZER_H
#include "handles.h"

/* Also makes SQLite prepare every statement again at its next use, under the rules of now. */
void install_authorizer(Handle *h);

/* For JavaScript. */
napi_value set_authorizer(napi_env env, napi_callback_info info);

#endif
