/* Which tables and rows committed transactions changed. */
#ifndef SQLITE_AIO_CHANGES_H
#define SQLITE_AIO_CHANGES_H
#include "handles.h"

void stop_tracking(Handle *h);

/* For JavaScript. */
napi_value track_changes(napi_env env, napi_callback_info info);
napi_value take_changes(napi_env env, napi_callback_info info);
napi_value mark_changed(napi_env env, napi_callback_info info);

#endif
