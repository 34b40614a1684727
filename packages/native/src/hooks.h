/* SQLite's update, commit and rollback hooks, of which a handle has one each: change tracking and the log of events
   share them. */
#ifndef SQLITE_AIO_HOOKS_H
#define SQLITE_AIO_HOOKS_H
#include "handles.h"

/* As the handle's tracking and log want them. */
void install_hooks(Handle *h);
/* Whether anybody wants to hear of each row, also where SQLite would empty a table without a word. */
int watches_rows(const Handle *h);
void free_events(Handle *h);

/* For JavaScript. */
napi_value record_events(napi_env env, napi_callback_info info);
napi_value take_events(napi_env env, napi_callback_info info);

#endif
