/* Collects the tables and rows that committed transactions changed. */
#ifndef SQLITE_AIO_CHANGES_H
#define SQLITE_AIO_CHANGES_H
#include "handles.h"

void stop_tracking(Handle *h);
/* Called by the hooks. */
void track_update(Handle *h, const char *database, const char *name, sqlite3_int64 rowid);
void track_commit(Handle *h);
void track_rollback(Handle *h);

/* Called from JavaScript. */
napi_value track_changes(napi_env env, napi_callback_info info);
napi_value take_changes(napi_env env, napi_callback_info info);
napi_value mark_changed(napi_env env, napi_callback_info info);

#endif
