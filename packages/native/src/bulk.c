#include "bulk.h"
#include "bind.h"
#include "control.h"
#include "js.h"

/* The kinds of columns in a packet of parameter sets: `Kind` in the worker's wire/rows/row-encode.ts. */
enum { SET_MIXED = 0, SET_NUMBER = 1, SET_INT64 = 2, SET_TEXT = 3, SET_BLOB = 4, SET_NULL = 5, SET_TERMS = 6 };
/* What is left of the savepoint of the set that failed. */
enum { SAVEPOINT_NONE, SAVEPOINT_KEEP, SAVEPOINT_UNDO };
enum { VALUE_NULL, VALUE_NUMBER, VALUE_INT64, VALUE_TEXT, VALUE_BLOB };

typedef struct {
  int kind;
  const double *numbers;
  const int64_t *integers;
  const uint8_t *nulls;    /* a byte per set; NULL if no value is NULL */
  const uint16_t *terms;   /* an index into `values` per set */
  const uint8_t *bytes;    /* texts or blobs */
  const uint32_t *ends;    /* the end of each text or blob */
  uint8_t *own_bytes;
  uint32_t *own_ends;
  uint8_t *tags;           /* MIXED, TERMS: a VALUE_* per value */
  int64_t *values;         /* MIXED: a double or an int64 */
  size_t count;            /* number of `tags` */
} Parameter;

typedef struct {
  Work work;
  Statement *statement;
  const Parameter *parameters;
  uint32_t at, sets;
  Control control;
  uint32_t sequence;
  double changes;
  sqlite3_int64 rowid;
  Statement *begin, *keep;  /* of a savepoint for each set; NULL: none */
  const int32_t *undoing;   /* not 0: the set that was run is to be undone */
  int savepoint;            /* a SAVEPOINT_* */
} Writing;

/* ---- reading the packet ---- */

static void free_parameters(Parameter *parameters, uint32_t count) {
  for (uint32_t i = 0; parameters && i < count; i++) {
    free(parameters[i].own_bytes);
    free(parameters[i].own_ends);
    free(parameters[i].tags);
    free(parameters[i].values);
  }
  free(parameters);
}

static napi_value element(napi_env env, napi_value array, uint32_t index) {
  napi_value value = NULL;
  if (N(napi_get_element)(env, array, index, &value) != napi_ok) N(napi_get_undefined)(env, &value);
  return value;
}

/* Converts the `ends` of texts from UTF-16 units to UTF-8 bytes. False if the last text does not end with the bytes. */
static int utf8_ends(Parameter *p, size_t length, uint32_t sets) {
  size_t at = 0, units = 0;
  for (uint32_t r = 0; r < sets; r++) {
    while (units < p->ends[r] && at < length) {
      uint8_t first = p->bytes[at];
      at += first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
      units += first < 0xF0 ? 1 : 2;
    }
    if (units != p->ends[r] || at > length) return 0;
    p->own_ends[r] = (uint32_t)at;
  }
  return 1;
}

static int ends_rise(const uint32_t *ends, uint32_t sets, size_t length) {
  uint32_t before = 0;
  for (uint32_t r = 0; r < sets; r++) {
    if (ends[r] < before || ends[r] > length) return 0;
    before = ends[r];
  }
  return 1;
}

enum { READ, BAD, NO_MEMORY };

static int read_nulls(napi_env env, napi_value value, Parameter *p, uint32_t sets) {
  size_t count;
  if (is_type(env, value, napi_null)) return READ;
  p->nulls = typed_array(env, value, napi_uint8_array, &count);
  return p->nulls && count == sets ? READ : BAD;
}

static int read_text(napi_env env, napi_value column, Parameter *p, uint32_t sets) {
  napi_value text = element(env, column, 1);
  size_t units = 0, length = 0, count;
  if (N(napi_get_value_string_utf16)(env, text, NULL, 0, &units) != napi_ok) return BAD;
  p->ends = typed_array(env, element(env, column, 2), napi_uint32_array, &count);
  if (!p->ends || count != sets || !ends_rise(p->ends, sets, units)) return BAD;
  p->bytes = p->own_bytes = (uint8_t *)utf8_of(env, text, &length);
  if (!p->bytes) return NO_MEMORY;
  if (length != units) {
    p->own_ends = malloc(((size_t)sets + 1) * sizeof *p->own_ends);
    if (!p->own_ends) return NO_MEMORY;
    if (!utf8_ends(p, length, sets)) return BAD;
    p->ends = p->own_ends;
  }
  return read_nulls(env, element(env, column, 3), p, sets);
}

static int read_blobs(napi_env env, napi_value column, Parameter *p, uint32_t sets) {
  size_t length, count;
  p->bytes = typed_array(env, element(env, column, 1), napi_uint8_array, &length);
  p->ends = typed_array(env, element(env, column, 2), napi_uint32_array, &count);
  if (!p->bytes || !p->ends || count != sets || !ends_rise(p->ends, sets, length)) return BAD;
  return read_nulls(env, element(env, column, 3), p, sets);
}

/* Adds a value of an array. Appends its bytes to `own_bytes`, for which there are `room` bytes. */
static int read_value(napi_env env, napi_value value, Parameter *p, size_t i, size_t *used, size_t *room) {
  napi_valuetype type;
  size_t length = 0;
  const void *bytes = NULL;
  char *text = NULL;
  if (N(napi_typeof)(env, value, &type) != napi_ok) return BAD;
  switch (type) {
    case napi_null:
      p->tags[i] = VALUE_NULL;
      break;
    case napi_number: {
      double number;
      N(napi_get_value_double)(env, value, &number);
      memcpy(&p->values[i], &number, 8);
      p->tags[i] = VALUE_NUMBER;
      break;
    }
    case napi_bigint: {
      bool whole;
      N(napi_get_value_bigint_int64)(env, value, &p->values[i], &whole);
      if (!whole) return BAD;
      p->tags[i] = VALUE_INT64;
      break;
    }
    case napi_string:
      bytes = text = utf8_of(env, value, &length);
      if (!text) return NO_MEMORY;
      p->tags[i] = VALUE_TEXT;
      break;
    default:
      bytes = typed_array(env, value, napi_uint8_array, &length);
      if (!bytes) return BAD;
      p->tags[i] = VALUE_BLOB;
  }
  if (length > *room - *used) {
    size_t more = *room * 2 > *used + length ? *room * 2 : *used + length;
    uint8_t *grown = realloc(p->own_bytes, more);
    if (!grown) {
      free(text);
      return NO_MEMORY;
    }
    p->own_bytes = grown;
    *room = more;
  }
  if (length) memcpy(p->own_bytes + *used, bytes, length);
  free(text);
  *used += length;
  if (*used > UINT32_MAX) return NO_MEMORY;
  p->own_ends[i] = (uint32_t)*used;
  return READ;
}

static int read_values(napi_env env, napi_value array, Parameter *p) {
  uint32_t count = 0;
  size_t used = 0, room = 0;
  if (N(napi_get_array_length)(env, array, &count) != napi_ok) return BAD;
  p->count = count;
  p->tags = malloc((size_t)count + 1);
  p->values = malloc(((size_t)count + 1) * sizeof *p->values);
  p->own_ends = malloc(((size_t)count + 1) * sizeof *p->own_ends);
  if (!p->tags || !p->values || !p->own_ends) return NO_MEMORY;
  for (uint32_t i = 0; i < count; i++) {
    napi_handle_scope scope;
    if (N(napi_open_handle_scope)(env, &scope) != napi_ok) return BAD;
    int outcome = read_value(env, element(env, array, i), p, i, &used, &room);
    N(napi_close_handle_scope)(env, scope);
    if (outcome != READ) return outcome;
  }
  p->bytes = p->own_bytes;
  p->ends = p->own_ends;
  return READ;
}

static int read_terms(napi_env env, napi_value column, Parameter *p, uint32_t sets) {
  size_t count;
  int outcome = read_values(env, element(env, column, 1), p);
  if (outcome != READ) return outcome;
  p->terms = typed_array(env, element(env, column, 2), napi_uint16_array, &count);
  if (!p->terms || count != sets) return BAD;
  for (uint32_t r = 0; r < sets; r++) {
    if (p->terms[r] >= p->count) return BAD;
  }
  return READ;
}

static int read_parameter(napi_env env, napi_value column, Parameter *p, uint32_t sets) {
  double kind;
  size_t count;
  bool list = false;
  if (N(napi_is_array)(env, column, &list) != napi_ok || !list) return BAD;
  if (N(napi_get_value_double)(env, element(env, column, 0), &kind) != napi_ok) return BAD;
  p->kind = kind >= 0 && kind <= SET_TERMS ? (int)kind : -1;
  switch (p->kind) {
    case SET_MIXED: {
      int outcome = read_values(env, element(env, column, 1), p);
      return outcome == READ && p->count != sets ? BAD : outcome;
    }
    case SET_NUMBER:
      p->numbers = typed_array(env, element(env, column, 1), napi_float64_array, &count);
      return p->numbers && count == sets ? read_nulls(env, element(env, column, 2), p, sets) : BAD;
    case SET_INT64:
      p->integers = typed_array(env, element(env, column, 1), napi_bigint64_array, &count);
      return p->integers && count == sets ? read_nulls(env, element(env, column, 2), p, sets) : BAD;
    case SET_TEXT:
      return read_text(env, column, p, sets);
    case SET_BLOB:
      return read_blobs(env, column, p, sets);
    case SET_NULL:
      return READ;
    case SET_TERMS:
      return read_terms(env, column, p, sets);
    default:
      return BAD;
  }
}

/* ---- writing ---- */

static int bind_bytes(const Handle *h, sqlite3_stmt *stmt, int index, const Parameter *p, size_t i, int text) {
  ENGINE_OF(h);
  /* An empty blob needs an address: without one, SQLite binds NULL. */
  static const uint8_t nothing;
  uint32_t from = i ? p->ends[i - 1] : 0;
  const uint8_t *bytes = p->bytes ? p->bytes + from : &nothing;
  /* The bytes stay in place until the bindings are cleared, after the last set. */
  if (text) return sqlite3_bind_text64(stmt, index, (const char *)bytes, p->ends[i] - from, SQLITE_STATIC, SQLITE_UTF8);
  return sqlite3_bind_blob64(stmt, index, bytes, p->ends[i] - from, SQLITE_STATIC);
}

static int bind_kept(const Handle *h, sqlite3_stmt *stmt, int index, const Parameter *p, size_t i) {
  ENGINE_OF(h);
  double number;
  switch (p->tags[i]) {
    case VALUE_NUMBER:
      memcpy(&number, &p->values[i], 8);
      return bind_number(h, stmt, index, number);
    case VALUE_INT64:
      return sqlite3_bind_int64(stmt, index, p->values[i]);
    case VALUE_TEXT:
    case VALUE_BLOB:
      return bind_bytes(h, stmt, index, p, i, p->tags[i] == VALUE_TEXT);
    default:
      return sqlite3_bind_null(stmt, index);
  }
}

static int bind_set(const Handle *h, sqlite3_stmt *stmt, int index, const Parameter *p, uint32_t r) {
  ENGINE_OF(h);
  if (p->kind == SET_NULL || (p->nulls && p->nulls[r])) return sqlite3_bind_null(stmt, index);
  switch (p->kind) {
    case SET_NUMBER: return bind_number(h, stmt, index, p->numbers[r]);
    case SET_INT64: return sqlite3_bind_int64(stmt, index, p->integers[r]);
    case SET_TERMS: return bind_kept(h, stmt, index, p, p->terms[r]);
    case SET_MIXED: return bind_kept(h, stmt, index, p, r);
    default: return bind_bytes(h, stmt, index, p, r, p->kind == SET_TEXT);
  }
}

static int run_to_end(const Handle *h, sqlite3_stmt *stmt) {
  ENGINE_OF(h);
  while (sqlite3_step(stmt) == SQLITE_ROW);
  return sqlite3_reset(stmt);
}

/* Runs the set that is bound, in a savepoint if there are to be any. It stays open where something fails. */
static int run_set(const Handle *h, Writing *writing) {
  ENGINE_OF(h);
  int code;
  if (writing->begin) {
    code = run_to_end(h, writing->begin->stmt);
    if (code != SQLITE_OK) return code;
    writing->savepoint = SAVEPOINT_KEEP;
  }
  sqlite3_int64 before = sqlite3_total_changes64(h->db);
  code = run_to_end(h, writing->statement->stmt);
  if (code != SQLITE_OK) return code;
  double changes = sqlite3_total_changes64(h->db) != before ? (double)sqlite3_changes64(h->db) : 0;
  if (writing->begin) {
    writing->savepoint = SAVEPOINT_UNDO;
    if (*writing->undoing) return SQLITE_ABORT;
    code = run_to_end(h, writing->keep->stmt);
    if (code != SQLITE_OK) return code;
    writing->savepoint = SAVEPOINT_NONE;
  }
  writing->changes += changes;
  return SQLITE_OK;
}

static void run_writing(Handle *h, Work *work) {
  Writing *writing = (Writing *)work;
  sqlite3_stmt *stmt = writing->statement->stmt;
  ENGINE_OF(h);
  int code = SQLITE_OK;
  for (; writing->at < writing->sets; writing->at++) {
    if (is_cancelled(&writing->control, writing->sequence)) {
      note_own_failure(&work->failure, SQLITE_INTERRUPT, "interrupted");
      break;
    }
    for (int i = 0; i < writing->statement->parameters && code == SQLITE_OK; i++)
      code = bind_set(h, stmt, i + 1, &writing->parameters[i], writing->at);
    if (code == SQLITE_OK) code = run_set(h, writing);
    if (code != SQLITE_OK) {
      /* If the statement itself has failed, its error counts. */
      if (writing->savepoint == SAVEPOINT_UNDO && *writing->undoing)
        note_own_failure(&work->failure, SQLITE_ABORT, "undone");
      else note_failure(h, &work->failure, code);
      break;
    }
  }
  writing->rowid = sqlite3_last_insert_rowid(h->db);
}

static void tell_bad(napi_env env, int outcome) {
  if (outcome == NO_MEMORY) out_of_memory(env);
  else wrong_type(env, "The parameter sets must be a packet with a column for each parameter");
}

/* (token, statement, packet, from, Float64Array for the next set, the rows changed and what is left of its savepoint,
   control block, sequence, and for savepoints two statements and an Int32Array) */
napi_value run_many(napi_env env, napi_callback_info info) {
  napi_value arguments[10], result = NULL;
  double token, sets, from, sequence = 0;
  size_t room;
  Writing writing = {.work = {.run = run_writing}};
  if (!read_arguments(env, info, 10, arguments, &token)) return NULL;
  bool list = false;
  if (N(napi_is_array)(env, arguments[2], &list) != napi_ok || !list)
    return wrong_type(env, "The packet must be an array");
  if (!read_count(env, element(env, arguments[2], 0), INT32_MAX, "The packet must begin with a number", &sets))
    return NULL;
  if (!read_count(env, arguments[3], sets, "from must be the number of a set", &from)) return NULL;
  double *progress = typed_array(env, arguments[4], napi_float64_array, &room);
  int savepoints = !is_type(env, arguments[7], napi_undefined);
  if (!progress || room < (savepoints ? 3 : 2)) return wrong_type(env, "progress must be a Float64Array of two, or of three");
  if (!read_control(env, arguments[5], &writing.control)) return NULL;
  if (writing.control.words && !read_sequence(env, arguments[6], &sequence)) return NULL;
  Handle *h = own_handle(env, token);
  Statement *s = h ? statement_of(env, h, arguments[1]) : NULL;
  if (!s) return NULL;
  if (savepoints) {
    writing.begin = statement_of(env, h, arguments[7]);
    writing.keep = writing.begin ? statement_of(env, h, arguments[8]) : NULL;
    if (!writing.keep) return NULL;
    writing.undoing = typed_array(env, arguments[9], napi_int32_array, &room);
    if (!writing.undoing || room < 1) return wrong_type(env, "undoing must be an Int32Array of one");
  }
  ENGINE_OF(h);
  uint32_t count = (uint32_t)s->parameters;
  Parameter *parameters = calloc((size_t)count + 1, sizeof *parameters);
  int outcome = parameters ? READ : NO_MEMORY;
  /* An element may be a getter, and the getter must not finalize the statement. */
  h->working = 1;
  for (uint32_t i = 0; i < count && outcome == READ; i++)
    outcome = read_parameter(env, element(env, arguments[2], i + 1), &parameters[i], (uint32_t)sets);
  h->working = 0;
  if (outcome != READ) {
    free_parameters(parameters, count);
    tell_bad(env, outcome);
    return NULL;
  }
  stop_run(h, s);
  writing.statement = s;
  writing.parameters = parameters;
  writing.at = (uint32_t)from;
  writing.sets = (uint32_t)sets;
  writing.sequence = (uint32_t)sequence;
  int done = perform(env, h, &writing.work);
  stop_run(h, s);
  sqlite3_clear_bindings(s->stmt);
  s->heavy = 0;
  free_parameters(parameters, count);
  progress[0] = writing.at;
  progress[1] = writing.changes;
  if (savepoints) progress[2] = writing.savepoint;
  if (!done) throw_failure(env, h, &writing.work.failure);
  else N(napi_create_bigint_int64)(env, writing.rowid, &result);
  return result;
}
