#include "images.h"
#include "bind.h"
#include "js.h"

napi_value deserialize(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  double token;
  size_t length, name_length;
  if (!read_arguments(env, info, 3, arguments, &token)) return NULL;
  if (!is_type(env, arguments[1], napi_string)) return wrong_type(env, "database must be a string");
  const void *bytes = typed_array(env, arguments[2], napi_uint8_array, &length);
  if (!bytes) return wrong_type(env, "The image must be a Uint8Array");
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  ENGINE_OF(h);
  char *name = utf8_of(env, arguments[1], &name_length);
  unsigned char *copy = name ? sqlite3_malloc64(length) : NULL;
  if (!copy) {
    free(name);
    return out_of_memory(env);
  }
  memcpy(copy, bytes, length);
  /* If this fails, it has freed the copy. */
  int status = sqlite3_deserialize(h->db, name, copy, (sqlite3_int64)length, (sqlite3_int64)length,
                                   SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE);
  free(name);
  if (status != SQLITE_OK) throw_sqlite(env, h, status, sqlite3_errmsg(h->db));
  return NULL;
}

napi_value copy_into(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  double token, into;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  if (N(napi_get_value_double)(env, arguments[1], &into) != napi_ok) return wrong_type(env, "The target must be a token");
  Handle *source = own_handle(env, token);
  Handle *target = source ? own_handle(env, into) : NULL;
  if (!target) return NULL;
  if (source->api != target->api) return wrong_type(env, "Both handles must be of one engine");
  ENGINE_OF(target);
  sqlite3_backup *backup = sqlite3_backup_init(target->db, "main", source->db, "main");
  int status = backup ? sqlite3_backup_step(backup, -1) : sqlite3_errcode(target->db);
  /* sqlite3_backup_finish() does not report that a step met a lock. */
  int finished = backup ? sqlite3_backup_finish(backup) : status;
  if (status == SQLITE_DONE) status = finished;
  if (status != SQLITE_OK) throw_sqlite(env, target, status, NULL);
  return NULL;
}
