#include "blobs.h"
#include "bind.h"
#include "js.h"
#include "statements.h"

struct Blob {
  Blob *next;
  double id;
  sqlite3_blob *blob;
  int told; /* the latest error */
};

static void close_blob(const Handle *h, Blob *b) {
  ENGINE_OF(h);
  sqlite3_blob_close(b->blob);
  free(b);
}

void close_blobs(Handle *h) {
  while (h->blobs) {
    Blob *b = h->blobs;
    h->blobs = b->next;
    close_blob(h, b);
  }
}

/* The place of a blob of this handle; NULL after throwing. */
static Blob **place_of_blob(napi_env env, Handle *h, napi_value id) {
  double number = -1;
  if (N(napi_get_value_double)(env, id, &number) != napi_ok) {
    wrong_type(env, "The blob must be a number");
    return NULL;
  }
  Blob **place = &h->blobs;
  while (*place && (*place)->id != number) place = &(*place)->next;
  if (*place) return place;
  fail(env, "ERR_SQLITE_AIO_NATIVE_FINALIZED", "The blob is closed");
  return NULL;
}

/* The bytes of a piece, and its offset in the blob; NULL after throwing. */
static void *piece_of(napi_env env, napi_value bytes, napi_value offset, size_t *length, double *from) {
  void *data = typed_array(env, bytes, napi_uint8_array, length);
  if (!data) wrong_type(env, "The bytes must be a Uint8Array");
  else if (!read_count(env, offset, INT32_MAX, "offset must be a number from 0 to 2147483647", from)) data = NULL;
  else if (*length > INT32_MAX) {
    wrong_type(env, "The bytes are more than a blob can have");
    data = NULL;
  }
  return data;
}

napi_value blob_open(napi_env env, napi_callback_info info) {
  napi_value arguments[6], result = NULL;
  double token;
  int64_t rowid;
  bool whole, writable;
  char *names[3] = {NULL, NULL, NULL};
  if (!read_arguments(env, info, 6, arguments, &token)) return NULL;
  for (int i = 1; i < 4; i++) {
    if (!is_type(env, arguments[i], napi_string)) return wrong_type(env, "database, table and column must be strings");
  }
  if (N(napi_get_value_bigint_int64)(env, arguments[4], &rowid, &whole) != napi_ok || !whole) {
    return wrong_type(env, "rowid must be a bigint of 64 bits");
  }
  if (N(napi_get_value_bool)(env, arguments[5], &writable) != napi_ok) return wrong_type(env, "writable must be a boolean");
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  ENGINE_OF(h);
  Blob *b = expect_end(env, h, token) ? calloc(1, sizeof *b) : NULL;
  size_t length;
  for (int i = 0; i < 3 && b; i++) {
    names[i] = utf8_of(env, arguments[i + 1], &length);
    if (names[i]) continue;
    free(b);
    b = NULL;
  }
  if (!b) out_of_memory(env);
  else {
    int status = sqlite3_blob_open(h->db, names[0], names[1], names[2], rowid, writable, &b->blob);
    if (status != SQLITE_OK) {
      throw_sqlite(env, h, sqlite3_extended_errcode(h->db), sqlite3_errmsg(h->db));
      close_blob(h, b);
    } else {
      b->id = ++h->blob_count;
      b->next = h->blobs;
      h->blobs = b;
      if (N(napi_create_object)(env, &result) == napi_ok) {
        N(napi_set_named_property)(env, result, "id", js_number(env, b->id));
        N(napi_set_named_property)(env, result, "bytes", js_number(env, sqlite3_blob_bytes(b->blob)));
      }
    }
  }
  for (int i = 0; i < 3; i++) free(names[i]);
  return result;
}

static napi_value transfer(napi_env env, napi_callback_info info, int writes) {
  napi_value arguments[4];
  double token, from;
  size_t length;
  if (!read_arguments(env, info, 4, arguments, &token)) return NULL;
  void *data = piece_of(env, arguments[2], arguments[3], &length, &from);
  Handle *h = data ? own_handle(env, token) : NULL;
  Blob **place = h ? place_of_blob(env, h, arguments[1]) : NULL;
  if (!place) return NULL;
  ENGINE_OF(h);
  Blob *b = *place;
  int status = writes ? sqlite3_blob_write(b->blob, data, (int)length, (int)from)
                      : sqlite3_blob_read(b->blob, data, (int)length, (int)from);
  b->told = status;
  if (status != SQLITE_OK) throw_sqlite(env, h, status, sqlite3_errmsg(h->db));
  return NULL;
}

napi_value blob_read(napi_env env, napi_callback_info info) { return transfer(env, info, 0); }
napi_value blob_write(napi_env env, napi_callback_info info) { return transfer(env, info, 1); }

napi_value blob_close(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  double token;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  Handle *h = own_handle(env, token);
  Blob **place = h ? place_of_blob(env, h, arguments[1]) : NULL;
  if (!place) return NULL;
  ENGINE_OF(h);
  Blob *b = *place;
  *place = b->next;
  /* Outside a transaction, closing commits what was written. SQLite reports an error of an earlier call once more. */
  int status = sqlite3_blob_close(b->blob), told = b->told;
  free(b);
  if (status != SQLITE_OK && status != told) throw_sqlite(env, h, status, sqlite3_errmsg(h->db));
  return NULL;
}
