/* Parameters. */
#ifndef SQLITE_AIO_BIND_H
#define SQLITE_AIO_BIND_H
#include "statements.h"

/* As SQLite is to store it: a safe integer as INTEGER, but for -0, which has no such form; NaN as NULL. */
int bind_number(const Handle *h, sqlite3_stmt *stmt, int index, double value);
/* The memory of a string as UTF-8; NULL without memory, or for what is no string. */
char *utf8_of(napi_env env, napi_value value, size_t *length);

/* For JavaScript. */
napi_value bind_values(napi_env env, napi_callback_info info);

#endif
