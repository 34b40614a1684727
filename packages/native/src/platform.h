/* Hides the differences of the operating systems, and declares Node-API. Include it before anything else. */
#ifndef SQLITE_AIO_PLATFORM_H
#define SQLITE_AIO_PLATFORM_H

#if !defined(_WIN32) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#define NAPI_VERSION 8
#define NAPI_EXTERN
#include <node_api.h>
#include <sqlite3ext.h>

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#define EXPORT __declspec(dllexport)
typedef DWORD Thread;
typedef HANDLE SystemThread;
#else
#include <pthread.h>
#define EXPORT __attribute__((visibility("default")))
typedef pthread_t Thread;
typedef pthread_t SystemThread;
#endif

#define LIKELY(x) __builtin_expect(!!(x), 1)

/* One mutex for all state that outlives a handle. */
void lock(void);
void unlock(void);
Thread this_thread(void);
int same_thread(Thread a, Thread b);
/* Starts a thread. False if there cannot be another one. */
int start_thread(SystemThread *thread, void (*run)(void *), void *argument);
void join_thread(SystemThread thread);
void sleep_ms(int ms);
/* Milliseconds of a monotonic clock. */
double milliseconds(void);

#ifdef _WIN32
/* The program is node.exe, electron.exe or a renamed one, so an import library would name the wrong module. The
   functions are looked up in the running program. */
#define NODE_API(X) \
  X(napi_add_async_cleanup_hook) X(napi_add_env_cleanup_hook) X(napi_call_function) X(napi_close_handle_scope) X(napi_create_array_with_length) \
  X(napi_create_arraybuffer) X(napi_create_bigint_int64) X(napi_create_buffer_copy) X(napi_create_double) X(napi_create_error) \
  X(napi_create_function) X(napi_create_int32) X(napi_create_object) X(napi_create_reference) \
  X(napi_create_string_utf8) X(napi_delete_reference) X(napi_get_and_clear_last_exception) \
  X(napi_get_array_length) X(napi_get_boolean) X(napi_get_cb_info) X(napi_get_element) X(napi_get_null) \
  X(napi_get_reference_value) X(napi_get_typedarray_info) X(napi_get_undefined) X(napi_get_value_bigint_int64) \
  X(napi_get_value_bool) X(napi_get_value_double) X(napi_get_value_int32) X(napi_get_value_string_utf8) X(napi_get_value_string_utf16) \
  X(napi_get_uv_event_loop) X(napi_is_array) X(napi_is_exception_pending) X(napi_is_typedarray) X(napi_open_handle_scope) \
  X(napi_remove_async_cleanup_hook) X(napi_remove_env_cleanup_hook) X(napi_set_element) X(napi_set_instance_data) X(napi_set_named_property) \
  X(napi_throw) X(napi_throw_error) X(napi_throw_type_error) X(napi_typeof)
#define FIELD(name) __typeof__(&name) name;
extern struct NodeApi { NODE_API(FIELD) } node;
#undef FIELD
#define N(name) node.name
/* The module that contains Node; NULL if there is none. */
HMODULE find_host(void);
#else
#define N(name) name
#endif

/* False if the program has no Node-API. Call with the mutex held. */
int find_node(void);

#endif
