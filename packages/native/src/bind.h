/* Binding of parameters. */
#ifndef SQLITE_AIO_BIND_H
#define SQLITE_AIO_BIND_H
#include "statements.h"

/* Binds a safe integer other than -0 as INTEGER, NaN as NULL, and other numbers as REAL. */
int bind_number(const Handle *h, sqlite3_stmt *stmt, int index, double value);
/* A string as UTF-8, to be freed; NULL if there is no memory or it is not a string. */
char *utf8_of(napi_env env, napi_value value, size_t *length);

/* Called from JavaScript. */
napi_value bind_values(napi_env env, napi_callback_info info);

#endif
