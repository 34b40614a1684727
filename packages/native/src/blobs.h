/* Blobs that are read and written in pieces, https://sqlite.org/c3ref/blob.html. */
#ifndef SQLITE_AIO_BLOBS_H
#define SQLITE_AIO_BLOBS_H
#include "handles.h"

/* Of a handle that is about to be closed: one with blobs would stay open for ever. */
void close_blobs(Handle *h);

/* For JavaScript. */
napi_value blob_open(napi_env env, napi_callback_info info);
napi_value blob_read(napi_env env, napi_callback_info info);
napi_value blob_write(napi_env env, napi_callback_info info);
napi_value blob_close(napi_env env, napi_callback_info info);

#endif
