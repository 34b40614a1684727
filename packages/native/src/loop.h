/* The libuv functions that are used. A program that loads the extension need not have them. */
#ifndef SQLITE_AIO_LOOP_H
#define SQLITE_AIO_LOOP_H
#include "platform.h"

/* As in uv.h: these numbers are part of its ABI. Handles are opaque here. */
enum { UV_CHECK = 2, UV_TIMER = 13 };
typedef void (*LoopCallback)(void *handle);

#define LOOP_FUNCTIONS(X) \
  X(size_t, uv_handle_size, (int kind)) \
  X(void *, uv_handle_get_data, (const void *handle)) \
  X(void, uv_handle_set_data, (void *handle, void *data)) \
  X(int, uv_check_init, (struct uv_loop_s *, void *check)) \
  X(int, uv_check_start, (void *check, LoopCallback callback)) \
  X(int, uv_timer_init, (struct uv_loop_s *, void *timer)) \
  X(int, uv_timer_start, (void *timer, LoopCallback callback, uint64_t ms, uint64_t repeat)) \
  X(void, uv_unref, (void *handle)) \
  X(void, uv_close, (void *handle, LoopCallback callback))

#define FIELD(result, name, parameters) result(*name) parameters;
extern struct LoopFunctions { LOOP_FUNCTIONS(FIELD) } loop;
#undef FIELD

/* False if the program does not have them. Call with the mutex held. */
int find_loop(void);

#endif
