/* Which tables a statement would touch. */
#ifndef SQLITE_AIO_ANALYZE_H
#define SQLITE_AIO_ANALYZE_H
#include "handles.h"

/* For JavaScript. */
napi_value analyze(napi_env env, napi_callback_info info);

#endif
