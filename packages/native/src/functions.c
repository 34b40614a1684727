#include "functions.h"
#include "bind.h"
#include "js.h"
#include "packing.h"

#define MAX_SAFE 9007199254740991

/* It outlives the Handle, because SQLite destroys functions last. */
typedef struct Definition Definition;
struct Definition {
  Definition *next;
  const sqlite3_api_routines *api;
  Thread owner;
  napi_env env;
  napi_ref function; /* NULL after its environment has ended */
  int mode;          /* how integers are read */
  uint32_t group;    /* number of the latest group */
};

/* All definitions; protected by the mutex. */
static Definition *definitions;

enum { CALL, STEP, INVERSE, VALUE, FINALIZE };
/* The kind of a definition: a function, an aggregate, or an aggregate that can be a window function. */
enum { SCALAR, AGGREGATE, WINDOW };

static const char *const failed[] = {
  "user-defined function raised exception",
  "user-defined aggregate's 'step' method raised error",
  "user-defined aggregate's 'inverse' method raised error",
  "user-defined aggregate's 'value' method raised error",
  "user-defined aggregate's 'finalize' method raised error",
};

void forget_functions(napi_env env) {
  for (;;) {
    napi_ref reference = NULL;
    lock();
    for (Definition *d = definitions; d && !reference; d = d->next) {
      if (d->env != env || !d->function) continue;
      reference = d->function;
      d->function = NULL;
    }
    unlock();
    if (!reference) return;
    N(napi_delete_reference)(env, reference);
  }
}

static void drop_definition(void *pointer) {
  Definition *d = pointer;
  lock();
  Definition **place = &definitions;
  while (*place && *place != d) place = &(*place)->next;
  if (*place) *place = d->next;
  unlock();
  /* Only its own thread may delete a reference. If an engine closes on another thread, the reference is leaked. */
  if (d->function && same_thread(d->owner, this_thread())) N(napi_delete_reference)(d->env, d->function);
  free(d);
}

static Definition *new_definition(napi_env env, const Handle *h, napi_value function, int mode) {
  Definition *d = calloc(1, sizeof *d);
  if (!d) return NULL;
  if (N(napi_create_reference)(env, function, 1, &d->function) != napi_ok) {
    free(d);
    return NULL;
  }
  d->api = h->api;
  d->owner = h->owner;
  d->env = env;
  d->mode = mode;
  lock();
  d->next = definitions;
  definitions = d;
  unlock();
  return d;
}

static napi_status argument_of(const Definition *d, sqlite3_value *value, napi_value *result) {
  ENGINE_OF(d);
  switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER: {
      sqlite3_int64 integer = sqlite3_value_int64(value);
      int number = d->mode == MODE_NUMBER || (d->mode == MODE_AUTO && integer >= -MAX_SAFE && integer <= MAX_SAFE);
      if (number) return N(napi_create_double)(d->env, (double)integer, result);
      return N(napi_create_bigint_int64)(d->env, integer, result);
    }
    case SQLITE_FLOAT:
      return N(napi_create_double)(d->env, sqlite3_value_double(value), result);
    case SQLITE_TEXT: {
      const char *text = (const char *)sqlite3_value_text(value);
      if (!text) return napi_generic_failure;
      return N(napi_create_string_utf8)(d->env, text, (size_t)sqlite3_value_bytes(value), result);
    }
    case SQLITE_BLOB: {
      const void *bytes = sqlite3_value_blob(value);
      return N(napi_create_buffer_copy)(d->env, (size_t)sqlite3_value_bytes(value), bytes, NULL, result);
    }
    default:
      return N(napi_get_null)(d->env, result);
  }
}

/* Calls the function. False if it could not be called or has thrown. No exception may stay pending: the engine's addon
   would take it for its own. */
static int call_function(const Definition *d, size_t count, const napi_value *arguments, napi_value *result) {
  napi_value function, receiver;
  bool pending = false;
  int called = d->function && N(napi_get_reference_value)(d->env, d->function, &function) == napi_ok && function &&
               N(napi_get_undefined)(d->env, &receiver) == napi_ok &&
               N(napi_call_function)(d->env, receiver, function, count, arguments, result) == napi_ok;
  if (N(napi_is_exception_pending)(d->env, &pending) == napi_ok && pending) {
    napi_value error;
    N(napi_get_and_clear_last_exception)(d->env, &error);
  }
  return called && !pending;
}

/* Sets the result. False if the value has no SQLite type. `undefined` means that the function has thrown. */
static int give_result(const Definition *d, sqlite3_context *context, napi_value value) {
  ENGINE_OF(d);
  napi_valuetype type;
  size_t length = 0;
  if (N(napi_typeof)(d->env, value, &type) != napi_ok) return 0;
  switch (type) {
    case napi_null:
      sqlite3_result_null(context);
      return 1;
    case napi_number: {
      double number;
      if (N(napi_get_value_double)(d->env, value, &number) != napi_ok) return 0;
      sqlite3_int64 integer = number >= -MAX_SAFE && number <= MAX_SAFE ? (sqlite3_int64)number : 0;
      if ((double)integer == number && (integer != 0 || !signbit(number))) sqlite3_result_int64(context, integer);
      else sqlite3_result_double(context, number);
      return 1;
    }
    case napi_bigint: {
      int64_t integer;
      bool whole;
      if (N(napi_get_value_bigint_int64)(d->env, value, &integer, &whole) != napi_ok || !whole) return 0;
      sqlite3_result_int64(context, integer);
      return 1;
    }
    case napi_string: {
      char *text = utf8_of(d->env, value, &length);
      if (text) sqlite3_result_text64(context, text, length, free, SQLITE_UTF8);
      else sqlite3_result_error_nomem(context);
      return 1;
    }
    case napi_object: {
      const void *bytes = typed_array(d->env, value, napi_uint8_array, &length);
      if (!bytes) return 0;
      sqlite3_result_blob64(context, bytes, length, SQLITE_TRANSIENT);
      return 1;
    }
    default:
      return 0;
  }
}

/* Calls the function for a value or for a step of a group. For a group, its arguments begin with `what` and the number.
   */
static void invoke(sqlite3_context *context, const Definition *d, int what, uint32_t group, int count,
                   sqlite3_value **values) {
  ENGINE_OF(d);
  napi_handle_scope scope;
  napi_value few[10], *arguments = few, result;
  size_t first = what == CALL ? 0 : 2, total = first + (size_t)count;
  if (!d->function || !same_thread(d->owner, this_thread()) || N(napi_open_handle_scope)(d->env, &scope) != napi_ok) {
    sqlite3_result_error(context, failed[what], -1);
    return;
  }
  if (total > sizeof few / sizeof *few) arguments = malloc(total * sizeof *arguments);
  int well = arguments != NULL;
  if (well && first > 0) {
    well = N(napi_create_int32)(d->env, what, &arguments[0]) == napi_ok &&
           N(napi_create_double)(d->env, group, &arguments[1]) == napi_ok;
  }
  for (int i = 0; well && i < count; i++) well = argument_of(d, values[i], &arguments[first + (size_t)i]) == napi_ok;
  well = well && call_function(d, total, arguments, &result);
  if (well && (what == STEP || what == INVERSE)) {
    napi_valuetype type;
    well = N(napi_typeof)(d->env, result, &type) == napi_ok && type == napi_null;
  } else if (well) {
    well = give_result(d, context, result);
  }
  if (!well) sqlite3_result_error(context, failed[what], -1);
  if (arguments != few) free(arguments);
  N(napi_close_handle_scope)(d->env, scope);
}

static void on_call(const sqlite3_api_routines *sqlite3_api, sqlite3_context *context, int count, sqlite3_value **values) {
  invoke(context, sqlite3_user_data(context), CALL, 0, count, values);
}

static void on_row(const sqlite3_api_routines *sqlite3_api, sqlite3_context *context, int what, int count,
                   sqlite3_value **values) {
  Definition *d = sqlite3_user_data(context);
  uint32_t *group = sqlite3_aggregate_context(context, sizeof *group);
  if (!group) {
    sqlite3_result_error_nomem(context);
    return;
  }
  if (*group == 0) *group = ++d->group == 0 ? ++d->group : d->group;
  invoke(context, d, what, *group, count, values);
}

/* For a group without rows the result is NULL, as in CPython. */
static void on_result(const sqlite3_api_routines *sqlite3_api, sqlite3_context *context, int what) {
  const uint32_t *group = sqlite3_aggregate_context(context, 0);
  if (group && *group) invoke(context, sqlite3_user_data(context), what, *group, 0, NULL);
}

/* SQLite does not tell a callback which engine calls it, so it cannot ask for its definition. Each engine of the
   process gets callbacks of its own. */
enum { ENGINES = 4 };
static const sqlite3_api_routines *engines[ENGINES];

typedef struct {
  void (*call)(sqlite3_context *, int, sqlite3_value **);
  void (*step)(sqlite3_context *, int, sqlite3_value **);
  void (*inverse)(sqlite3_context *, int, sqlite3_value **);
  void (*value)(sqlite3_context *);
  void (*finalize)(sqlite3_context *);
} Callbacks;

#define CALLBACKS_OF(n) \
  static void call_##n(sqlite3_context *c, int count, sqlite3_value **v) { on_call(engines[n], c, count, v); } \
  static void step_##n(sqlite3_context *c, int count, sqlite3_value **v) { on_row(engines[n], c, STEP, count, v); } \
  static void inverse_##n(sqlite3_context *c, int count, sqlite3_value **v) { on_row(engines[n], c, INVERSE, count, v); } \
  static void value_##n(sqlite3_context *c) { on_result(engines[n], c, VALUE); } \
  static void finalize_##n(sqlite3_context *c) { on_result(engines[n], c, FINALIZE); }
CALLBACKS_OF(0)
CALLBACKS_OF(1)
CALLBACKS_OF(2)
CALLBACKS_OF(3)
#define THOSE_OF(n) {call_##n, step_##n, inverse_##n, value_##n, finalize_##n}
static const Callbacks callbacks[ENGINES] = {THOSE_OF(0), THOSE_OF(1), THOSE_OF(2), THOSE_OF(3)};

/* Whether a definition of this engine is left that could be called. Call with the mutex held. */
static int has_definitions(const sqlite3_api_routines *api) {
  for (const Definition *d = definitions; d; d = d->next) {
    if (d->api == api) return 1;
  }
  return 0;
}

/* The callbacks of an engine without definitions can be given to another engine. An engine that was unloaded and loaded
   again may have another address. */
static const Callbacks *callbacks_of(const sqlite3_api_routines *api) {
  const Callbacks *found = NULL;
  lock();
  for (int i = 0; i < ENGINES && !found; i++) {
    if (engines[i] == api) found = &callbacks[i];
  }
  for (int i = 0; i < ENGINES && !found; i++) {
    if (engines[i] && has_definitions(engines[i])) continue;
    engines[i] = api;
    found = &callbacks[i];
  }
  unlock();
  return found;
}

static int register_function(const Handle *h, const char *name, int parameters, int flags, int kind, Definition *d) {
  ENGINE_OF(h);
  const Callbacks *own = callbacks_of(h->api);
  if (!own) return SQLITE_MISUSE;
  switch (kind) {
    case SCALAR:
      return sqlite3_create_function_v2(h->db, name, parameters, flags, d, own->call, NULL, NULL, drop_definition);
    case AGGREGATE:
      return sqlite3_create_function_v2(h->db, name, parameters, flags, d, NULL, own->step, own->finalize,
                                        drop_definition);
    default:
      return sqlite3_create_window_function(h->db, name, parameters, flags, d, own->step, own->finalize, own->value,
                                            own->inverse, drop_definition);
  }
}

napi_value define_function(napi_env env, napi_callback_info info) {
  napi_value arguments[7];
  double token, kind = 0, mode = 0;
  int32_t parameters, flags;
  if (!read_arguments(env, info, 7, arguments, &token)) return NULL;
  if (!is_type(env, arguments[1], napi_string)) return wrong_type(env, "name must be a string");
  if (N(napi_get_value_int32)(env, arguments[2], &parameters) != napi_ok ||
      N(napi_get_value_int32)(env, arguments[3], &flags) != napi_ok) {
    return wrong_type(env, "parameters and flags must be numbers");
  }
  if (!read_count(env, arguments[4], WINDOW, "kind must be 0, 1 or 2", &kind) ||
      !read_count(env, arguments[5], MODE_NUMBER, "mode must be 0, 1 or 2", &mode)) {
    return NULL;
  }
  int given = is_type(env, arguments[6], napi_function);
  if (!given && !is_type(env, arguments[6], napi_null)) return wrong_type(env, "The function must be a function or null");
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  ENGINE_OF(h);
  size_t length;
  char *name = utf8_of(env, arguments[1], &length);
  Definition *d = name && given ? new_definition(env, h, arguments[6], (int)mode) : NULL;
  int status = SQLITE_NOMEM;
  /* If this fails, it has called the destructor. */
  if (d) status = register_function(h, name, parameters, flags | SQLITE_UTF8, (int)kind, d);
  else if (name && !given) {
    status = sqlite3_create_function_v2(h->db, name, parameters, SQLITE_UTF8, NULL, NULL, NULL, NULL, NULL);
  }
  if (status != SQLITE_OK) throw_sqlite(env, h, status, status == SQLITE_NOMEM ? NULL : sqlite3_errmsg(h->db));
  free(name);
  return NULL;
}

static int compare(void *pointer, int left_bytes, const void *left, int right_bytes, const void *right) {
  const Definition *d = pointer;
  napi_handle_scope scope;
  napi_value texts[2], result;
  double order = 0;
  if (!d->function || !same_thread(d->owner, this_thread()) || N(napi_open_handle_scope)(d->env, &scope) != napi_ok) return 0;
  if (N(napi_create_string_utf8)(d->env, left, (size_t)left_bytes, &texts[0]) == napi_ok &&
      N(napi_create_string_utf8)(d->env, right, (size_t)right_bytes, &texts[1]) == napi_ok &&
      (!call_function(d, 2, texts, &result) || N(napi_get_value_double)(d->env, result, &order) != napi_ok)) {
    order = 0;
  }
  N(napi_close_handle_scope)(d->env, scope);
  return (order > 0) - (order < 0);
}

napi_value define_collation(napi_env env, napi_callback_info info) {
  napi_value arguments[3];
  double token;
  if (!read_arguments(env, info, 3, arguments, &token)) return NULL;
  if (!is_type(env, arguments[1], napi_string)) return wrong_type(env, "name must be a string");
  int given = is_type(env, arguments[2], napi_function);
  if (!given && !is_type(env, arguments[2], napi_null)) return wrong_type(env, "The collation must be a function or null");
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  ENGINE_OF(h);
  size_t length;
  char *name = utf8_of(env, arguments[1], &length);
  Definition *d = name && given ? new_definition(env, h, arguments[2], MODE_AUTO) : NULL;
  int status = SQLITE_NOMEM;
  if (name && (d || !given)) {
    status = sqlite3_create_collation_v2(h->db, name, SQLITE_UTF8, d, d ? compare : NULL, d ? drop_definition : NULL);
    /* Unlike for functions, SQLite does not call the destructor after an error. */
    if (status != SQLITE_OK && d) drop_definition(d);
  }
  if (status != SQLITE_OK) throw_sqlite(env, h, status, status == SQLITE_NOMEM ? NULL : sqlite3_errmsg(h->db));
  free(name);
  return NULL;
}
