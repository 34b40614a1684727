/* Blobs that are read and written in pieces, https://sqlite.org/c3ref/blob.html. */
#ifndef SQLITE_AIO_BLOBS_H
#define SQLITE_AIO_BLOBS_H
#include "handles.h"

/* Called before a handle is closed: with open blobs it would never be closed. */
void close_blobs(Handle *h);

/* Called from JavaScript. */
napi_value blob_open(napi_env env, napi_callback_info info);
napi_value blob_read(napi_env env, napi_callback_info info);
napi_value blob_write(napi_env env, napi_callback_info info);
napi_value blob_close(napi_env env, napi_callback_info info);

#endif
