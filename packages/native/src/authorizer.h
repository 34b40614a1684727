/* Asks an authorizer what a statement may do, when it is prepared. */
#ifndef SQLITE_AIO_AUTHORIZER_H
#define SQLITE_AIO_AUTHORIZER_H
#include "handles.h"

/* Installs or removes the authorizer as needed. SQLite then prepares every statement again at its next use. */
void install_authorizer(Handle *h);

/* Called from JavaScript. */
napi_value set_authorizer(napi_env env, napi_callback_info info);

#endif
