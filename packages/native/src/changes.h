/* Which tables and rows committed transactions changed. */
#ifndef SQLITE_AIO_CHANGES_H
#define SQLITE_AIO_CHANGES_H
#include "handles.h"

void stop_tracking(Handle *h);
/* What the hooks are told. */
void track_update(Handle *h, const char *database, const char *name, sqlite3_int64 rowid);
void track_commit(Handle *h);
void track_rollback(Handle *h);

/* For JavaScript. */
napi_value track_changes(napi_env env, napi_callback_info info);
napi_value take_changes(napi_env env, napi_callback_info info);
napi_value mark_changed(napi_env env, napi_callback_info info);

#endif
