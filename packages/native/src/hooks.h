/* SQLite's update, commit and rollback hooks. A handle has only one of each, so change tracking, the event log and the
   guard of commits share them. */
#ifndef SQLITE_AIO_HOOKS_H
#define SQLITE_AIO_HOOKS_H
#include "handles.h"

/* Installs or removes the hooks, as the handle's tracking and log need them. */
void install_hooks(Handle *h);
/* Whether each changed row must be reported, even by a DELETE without WHERE. */
int watches_rows(const Handle *h);
void free_events(Handle *h);

/* Called from JavaScript. */
napi_value guard_commits(napi_env env, napi_callback_info info);
napi_value record_events(napi_env env, napi_callback_info info);
napi_value take_events(napi_env env, napi_callback_info info);

#endif
