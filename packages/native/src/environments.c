#include "environments.h"
#include "js.h"
#include "loop.h"

/* When a Worker ends, Node ends its nested threads one after the other, and waits for each. Only then it runs the
   cleanup hooks of the Worker's environment, so a running statement of a nested thread delays worker.terminate().
   JavaScript has ended by then. Only the rest of the current turn of the event loop still runs, in which Node has
   marked the environment as stopping. Node sets this mark before the last phase of a turn, the timers, so a timer
   checks it. From then on, for as long as Node waits, a thread interrupts the statements. */

enum { STRIKE_MS = 5 };

typedef struct Environment {
  napi_env env;
  double number;
  void *check, *timer;
  int open; /* number of open handles of the two */
  napi_async_cleanup_hook_handle cleanup;
  SystemThread striker;
  int stopping;
  int over; /* protected by the mutex, as are the fields below */
  struct Environment *next;
} Environment;

static Environment *environments;
static double last_number;

static void interrupt_those_of(double number) {
  for (Handle *h = first_handle(); h; h = next_handle(h)) {
    if (h->stops_with != number) continue;
    ENGINE_OF(h);
    sqlite3_interrupt(h->db);
  }
}

/* Interrupts repeatedly, because a thread goes on with its next statement until Node ends it. */
static void strike(void *pointer) {
  Environment *e = pointer;
  for (int over = 0; !over;) {
    lock();
    over = e->over;
    if (!over) interrupt_those_of(e->number);
    unlock();
    if (!over) sleep_ms(STRIKE_MS);
  }
}

static int is_stopping(napi_env env) {
  bool pending = false;
  /* While JavaScript may run, this call fails because its arguments are missing. */
  if (N(napi_call_function)(env, NULL, NULL, 0, NULL, NULL) == napi_invalid_arg) return 0;
  return N(napi_is_exception_pending)(env, &pending) == napi_ok && !pending;
}

static void at_end_of_turn(void *timer) {
  Environment *e = loop.uv_handle_get_data(timer);
  if (e->stopping || !is_stopping(e->env)) return;
  e->stopping = start_thread(&e->striker, strike, e);
  if (e->stopping) return;
  lock();
  interrupt_those_of(e->number);
  unlock();
}

static void on_turn(void *check) {
  Environment *e = loop.uv_handle_get_data(check);
  /* The timer is due in this turn, so it never keeps the loop waiting. */
  loop.uv_timer_start(e->timer, at_end_of_turn, 0, 0);
}

static void on_closed(void *handle) {
  Environment *e = loop.uv_handle_get_data(handle);
  Environment **place = &environments;
  free(handle);
  if (--e->open > 0) return;
  lock();
  while (*place != e) place = &(*place)->next;
  *place = e->next;
  unlock();
  N(napi_remove_async_cleanup_hook)(e->cleanup);
  free(e);
}

/* Called when the nested threads have ended. */
static void on_end(napi_async_cleanup_hook_handle cleanup, void *pointer) {
  Environment *e = pointer;
  (void)cleanup;
  lock();
  e->over = 1;
  unlock();
  if (e->stopping) join_thread(e->striker);
  loop.uv_close(e->check, on_closed);
  loop.uv_close(e->timer, on_closed);
}

/* NULL if the environment cannot be watched. */
static Environment *watch(napi_env env) {
  struct uv_loop_s *turns = NULL;
  lock();
  int found = find_loop();
  unlock();
  if (!found || N(napi_get_uv_event_loop)(env, &turns) != napi_ok) return NULL;
  Environment *e = calloc(1, sizeof *e);
  void *check = malloc(loop.uv_handle_size(UV_CHECK));
  void *timer = malloc(loop.uv_handle_size(UV_TIMER));
  if (!e || !check || !timer || N(napi_add_async_cleanup_hook)(env, on_end, e, &e->cleanup) != napi_ok) {
    free(e);
    free(check);
    free(timer);
    return NULL;
  }
  e->env = env;
  e->check = check;
  e->timer = timer;
  e->open = 2;
  loop.uv_check_init(turns, check);
  loop.uv_timer_init(turns, timer);
  loop.uv_handle_set_data(check, e);
  loop.uv_handle_set_data(timer, e);
  loop.uv_check_start(check, on_turn);
  /* They do not keep the event loop alive. */
  loop.uv_unref(check);
  loop.uv_unref(timer);
  lock();
  e->number = ++last_number;
  e->next = environments;
  environments = e;
  unlock();
  return e;
}

napi_value environment(napi_env env, napi_callback_info info) {
  (void)info;
  lock();
  Environment *e = environments;
  while (e && e->env != env) e = e->next;
  unlock();
  if (!e) e = watch(env);
  return js_number(env, e ? e->number : 0);
}

napi_value stop_with(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  double token, number;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  if (!read_count(env, arguments[1], 9007199254740991.0, "environment must be a number", &number)) return NULL;
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  lock();
  h->stops_with = number;
  unlock();
  return NULL;
}
