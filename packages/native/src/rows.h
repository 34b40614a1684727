/* Steps a statement and packs its rows. */
#ifndef SQLITE_AIO_ROWS_H
#define SQLITE_AIO_ROWS_H
#include "statements.h"

/* Called from JavaScript. */
napi_value rows(napi_env env, napi_callback_info info);

#endif
