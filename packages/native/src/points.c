#include "points.h"
#include "bind.h"
#include "control.h"
#include "js.h"
#include "packing.h"
#include "result-codes.h"

#define MAX_SAFE INT64_C(9007199254740991)
/* A text in UTF-8, because it has a character outside Latin-1. */
#define TAG_UTF8 5

typedef struct {
  Work work;
  Control control;
  uint32_t sequence;
  const double *input;
  size_t input_length;
  const uint8_t *bytes;
  size_t bytes_length;
  double *cells;
  uint8_t *tags;
  size_t room; /* number of places in `cells` and `tags` */
  uint8_t *text;
  size_t text_room;
  size_t at, byte_at;   /* position in the input */
  size_t cell, text_at; /* position in the output */
  int full;             /* the result of the next operation does not fit */
  int stepped;          /* the operation writes, and has been run */
  int heavy;            /* the operation has texts or blobs */
  double now, until;    /* milliseconds */
  uint32_t done, count;
} Points;

/* False if the input ends before the operation does. */
static int bind_input(const Handle *h, Points *p, Statement *s, size_t count, int *code) {
  ENGINE_OF(h);
  for (size_t i = 0; i < count && *code == SQLITE_OK; i++) {
    double value = p->input[p->at + 1];
    int tag = (int)p->input[p->at], index = (int)i + 1;
    p->at += 2;
    size_t length = 0;
    if (tag == TAG_TEXT || tag == TAG_BLOB) {
      if (!(value >= 0 && value <= (double)(p->bytes_length - p->byte_at))) return 0;
      length = (size_t)value;
      p->heavy = 1;
    }
    const uint8_t *bytes = p->bytes + p->byte_at;
    p->byte_at += length;
    switch (tag) {
      case TAG_NULL: *code = sqlite3_bind_null(s->stmt, index); break;
      case TAG_NUMBER: *code = bind_number(h, s->stmt, index, value); break;
      case TAG_INT64: {
        sqlite3_int64 integer;
        memcpy(&integer, &value, 8);
        *code = sqlite3_bind_int64(s->stmt, index, integer);
        break;
      }
      /* The bytes stay in place until the call returns, and the statement is reset by then. */
      case TAG_TEXT:
        *code = sqlite3_bind_text64(s->stmt, index, (const char *)bytes, length, SQLITE_STATIC, SQLITE_UTF8);
        break;
      case TAG_BLOB: *code = sqlite3_bind_blob64(s->stmt, index, bytes, length, SQLITE_STATIC); break;
      default: return 0;
    }
  }
  return 1;
}

/* Writes an integer as a number if the mode and its size allow it. */
static void put_integer(Points *p, size_t at, sqlite3_int64 integer, int mode) {
  if (mode == MODE_BIGINT || (mode == MODE_AUTO && (integer > MAX_SAFE || integer < -MAX_SAFE))) {
    memcpy(&p->cells[at], &integer, 8);
    p->tags[at] = TAG_INT64;
  } else {
    p->cells[at] = (double)integer;
    p->tags[at] = TAG_NUMBER;
  }
}

/* Writes one cell of the current row. False if it does not fit. */
static int take_cell(const Handle *h, Points *p, sqlite3_value *value, int mode) {
  ENGINE_OF(h);
  double *cell = &p->cells[p->cell];
  uint8_t *tag = &p->tags[p->cell];
  switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER: put_integer(p, p->cell, sqlite3_value_int64(value), mode & MODE_INTEGERS); break;
    case SQLITE_FLOAT:
      *cell = sqlite3_value_double(value);
      *tag = TAG_NUMBER;
      break;
    case SQLITE_TEXT: {
      const uint8_t *text = sqlite3_value_text(value);
      size_t length = (size_t)sqlite3_value_bytes(value);
      if (!text || length > p->text_room - p->text_at) return 0;
      int64_t units = mode & MODE_RAW_TEXT ? -1 : latin1_of(p->text + p->text_at, text, length);
      *tag = units < 0 && !(mode & MODE_RAW_TEXT) ? TAG_UTF8 : TAG_TEXT;
      if (units < 0) memcpy(p->text + p->text_at, text, length);
      *cell = units < 0 ? (double)length : (double)units;
      p->text_at += (size_t)*cell;
      break;
    }
    case SQLITE_BLOB: {
      const void *bytes = sqlite3_value_blob(value);
      size_t length = (size_t)sqlite3_value_bytes(value);
      if ((!bytes && length) || length > p->text_room - p->text_at) return 0;
      if (length) memcpy(p->text + p->text_at, bytes, length);
      *tag = TAG_BLOB;
      *cell = (double)length;
      p->text_at += length;
      break;
    }
    default:
      *tag = TAG_NULL;
      *cell = 0;
  }
  p->cell++;
  return 1;
}

/* Writes the first cells of an operation that is done. */
static void head(Points *p, size_t at, int status, double first) {
  double began = p->now;
  p->now = milliseconds();
  p->cells[at + POINT_STATUS] = status;
  p->cells[at + POINT_MS] = p->now - began;
  p->cells[at + POINT_FIRST] = first;
}

static void run_write(Handle *h, Points *p, Statement *s, int mode, int *code) {
  ENGINE_OF(h);
  sqlite3_int64 before = sqlite3_total_changes64(h->db);
  p->stepped = 1;
  while (sqlite3_step(s->stmt) == SQLITE_ROW);
  *code = sqlite3_reset(s->stmt);
  if (*code != SQLITE_OK) {
    note_failure(h, &p->work.failure, *code);
    return;
  }
  if (is_given_up(&p->control, p->sequence)) {
    *code = SQLITE_INTERRUPT;
    note_own_failure(&p->work.failure, *code, "interrupted");
    return;
  }
  p->stepped = 0;
  head(p, p->cell, POINT_WROTE, sqlite3_total_changes64(h->db) == before ? 0 : (double)sqlite3_changes64(h->db));
  put_integer(p, p->cell + POINT_SECOND, sqlite3_last_insert_rowid(h->db), mode);
  p->cell += POINT_CELLS;
}

static void run_read(Handle *h, Points *p, Statement *s, uint32_t limit, int mode, int *code) {
  ENGINE_OF(h);
  const size_t cell = p->cell, text_at = p->text_at;
  uint32_t count = 0;
  int fits = 1, renamed = 0;
  p->cell += POINT_CELLS;
  while ((*code = sqlite3_step(s->stmt)) == SQLITE_ROW) {
    if (count == 0) renamed = recount_columns(h, s);
    if (count == limit || (size_t)s->columns > p->room - p->cell) fits = 0;
    for (int i = 0; i < s->columns && fits; i++) fits = take_cell(h, p, sqlite3_column_value(s->stmt, i), mode);
    if (!fits) break;
    count++;
    if (limit == 1) break;
  }
  if (*code == SQLITE_DONE && recount_columns(h, s)) renamed = 1;
  *code = *code == SQLITE_ROW || *code == SQLITE_DONE ? SQLITE_OK : *code;
  if (*code != SQLITE_OK) note_failure(h, &p->work.failure, *code);
  sqlite3_reset(s->stmt);
  if (!fits || *code != SQLITE_OK) {
    p->cell = cell;
    p->text_at = text_at;
    /* The next run of the statement reports the new names. */
    if (renamed) s->reprepares = -1;
    p->full = !fits;
    return;
  }
  head(p, cell, renamed ? POINT_NEW_ROWS : POINT_ROWS, count);
  p->cells[cell + POINT_SECOND] = s->columns;
}

/* Runs one operation. False if it failed or must be run in another way. */
static int run_point(Handle *h, Points *p) {
  ENGINE_OF(h);
  int code = SQLITE_OK;
  if (p->at + 4 > p->input_length) {
    note_own_failure(&p->work.failure, SQLITE_MISUSE, "The input ends within an operation");
    return 0;
  }
  const double *input = p->input + p->at;
  Statement *s = find_statement(h, input[0]);
  double limit = input[1], count = input[3];
  int mode = (int)input[2];
  p->at += 4;
  if (!s || count != s->parameters || p->at + 2 * (size_t)count > p->input_length ||
      !(limit >= 0 && limit <= UINT32_MAX)) {
    note_own_failure(&p->work.failure, SQLITE_MISUSE, "The input names no statement with so many parameters");
    return 0;
  }
  stop_run(h, s);
  p->heavy = 0;
  if (!bind_input(h, p, s, (size_t)count, &code)) {
    note_own_failure(&p->work.failure, SQLITE_MISUSE, "The input holds a value that is none");
    return 0;
  }
  if (code != SQLITE_OK) note_failure(h, &p->work.failure, code);
  else if (limit > 0) run_read(h, p, s, (uint32_t)limit, mode, &code);
  else run_write(h, p, s, mode, &code);
  /* Texts and blobs are bound by their address in the input. */
  if (p->heavy) sqlite3_clear_bindings(s->stmt);
  return code == SQLITE_OK && !p->full;
}

static void run_all(Handle *h, Work *work) {
  Points *p = (Points *)work;
  int32_t interrupts = interrupts_sent(&p->control);
  p->now = milliseconds();
  p->until += p->now;
  while (p->done < p->count && p->room - p->cell >= POINT_CELLS) {
    no_answer_tells(&p->control);
    if (!begin_operation(&p->control, p->sequence)) return;
    const size_t at = p->at, byte_at = p->byte_at;
    int well = run_point(h, p);
    end_operation(&p->control, p->sequence);
    if (!well && !p->stepped) {
      p->at = at;
      p->byte_at = byte_at;
    }
    if (!well) return;
    p->done++;
    p->sequence = next_sequence(p->sequence);
    if (p->now > p->until || !undisturbed(&p->control, interrupts)) return;
  }
}

/* Appends the error of the operation to the texts. A JavaScript error, which captures the stack, would cost ten times
   as much as the operation. False if it does not fit. */
static int put_failure(const Handle *h, Points *p) {
  ENGINE_OF(h);
  char room[UNKNOWN_CODE_ROOM];
  const Failure *failure = &p->work.failure;
  const char *code = name_of_code(failure->code, room);
  const char *message = failure->message ? failure->message : sqlite3_errstr(failure->code);
  size_t of_code = strlen(code), of_message = strlen(message);
  if (failure->thrown || of_code > p->text_room - p->text_at || of_message > p->text_room - p->text_at - of_code) return 0;
  memcpy(p->text + p->text_at, code, of_code);
  memcpy(p->text + p->text_at + of_code, message, of_message);
  p->cells[POINT_CODE] = (double)of_code;
  p->cells[POINT_MESSAGE] = (double)of_message;
  return 1;
}

/* (token, number of operations, input, from place, bytes, from byte, cells, tags, text, control block, sequence,
   milliseconds) */
napi_value run_points(napi_env env, napi_callback_info info) {
  napi_value arguments[12];
  double token, count, at, byte_at, sequence = 0, ms = INFINITY;
  size_t tags_room;
  Points p = {.work = {.run = run_all}, .cell = POINT_HEAD};
  if (!read_arguments(env, info, 12, arguments, &token)) return NULL;
  if (!read_count(env, arguments[1], 1e6, "The number of operations must be a number", &count)) return NULL;
  p.input = typed_array(env, arguments[2], napi_float64_array, &p.input_length);
  p.bytes = typed_array(env, arguments[4], napi_uint8_array, &p.bytes_length);
  p.cells = typed_array(env, arguments[6], napi_float64_array, &p.room);
  p.tags = typed_array(env, arguments[7], napi_uint8_array, &tags_room);
  p.text = typed_array(env, arguments[8], napi_uint8_array, &p.text_room);
  if (!p.input || !p.bytes || !p.cells || !p.tags || !p.text || tags_room < p.room || p.room < POINT_HEAD)
    return wrong_type(env, "input and cells must be a Float64Array; bytes, tags and text a Uint8Array; a tag a cell");
  if (!read_count(env, arguments[3], (double)p.input_length, "from must be a place of the input", &at)) return NULL;
  if (!read_count(env, arguments[5], (double)p.bytes_length, "from must be a place of the bytes", &byte_at))
    return NULL;
  if (!read_control(env, arguments[9], &p.control)) return NULL;
  if (p.control.words && !read_sequence(env, arguments[10], &sequence)) return NULL;
  if (!is_type(env, arguments[11], napi_undefined) &&
      (N(napi_get_value_double)(env, arguments[11], &ms) != napi_ok || !(ms >= 0)))
    return wrong_type(env, "The milliseconds must be a number of at least 0");
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  p.until = ms;
  p.at = (size_t)at;
  p.byte_at = (size_t)byte_at;
  p.count = (uint32_t)count;
  p.sequence = (uint32_t)sequence;
  int well = perform(env, h, &p.work);
  p.cells[POINT_DONE] = p.done;
  p.cells[POINT_AT] = (double)p.at;
  p.cells[POINT_BYTES] = (double)p.byte_at;
  p.cells[POINT_STEPPED] = p.stepped;
  p.cells[POINT_CODE] = p.cells[POINT_MESSAGE] = 0;
  if (!well && p.stepped && put_failure(h, &p)) drop_failure(h, &p.work.failure);
  else if (!well) throw_failure(env, h, &p.work.failure);
  return NULL;
}
