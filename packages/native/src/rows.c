#include "rows.h"
#include "control.h"
#include "js.h"
#include "packing.h"

#define MAX_ROWS (1 << 20)

typedef struct {
  Work work;
  Statement *statement;
  uint32_t limit;
  double bytes;
  int mode, only;
  Control control;
  uint32_t sequence;
  int flags;
  uint8_t *into; /* memory for the packet, or NULL */
  size_t room;
} Reading;

static void run_rows(Handle *h, Work *work) {
  Reading *reading = (Reading *)work;
  Statement *s = reading->statement;
  ENGINE_OF(h);
  int begun = 0, code = SQLITE_ROW;
  double bytes = 0;
  for (;;) {
    if (begun && (h->scratch->rows >= h->scratch->row_room || bytes >= reading->bytes)) {
      if (reading->only) break;
      /* Steps one row ahead, so that the last packet can say that it is the last. */
      code = sqlite3_step(s->stmt);
      s->ahead = code == SQLITE_ROW;
      break;
    }
    if (!s->ahead && (code = sqlite3_step(s->stmt)) != SQLITE_ROW) break;
    s->ahead = 0;
    if (!begun) {
      begun = 1;
      if (recount_columns(h, s)) reading->flags |= FLAG_REPREPARED;
      /* A column takes at least four bytes per row, so more rows cannot fit. */
      double fit = reading->bytes / (4.0 * (s->columns > 0 ? s->columns : 1));
      uint32_t room = fit < 1 ? 1 : fit < reading->limit ? (uint32_t)fit : reading->limit;
      if (!begin_packet(h, s, room, reading->mode)) {
        note_own_failure(&work->failure, SQLITE_NOMEM, "out of memory");
        return;
      }
    }
    int64_t size = pack_row(h, s, reading->mode);
    if (size < 0) {
      note_own_failure(&work->failure, SQLITE_NOMEM, "out of memory");
      return;
    }
    bytes += (double)size;
    /* Costs two loads per row. If a row takes long, because of a JavaScript function for example, one more row would be
       too many. */
    if (is_cancelled(&reading->control, reading->sequence)) {
      note_own_failure(&work->failure, SQLITE_INTERRUPT, "interrupted");
      h->scratch->rows = 0;
      return;
    }
  }
  if (code == SQLITE_DONE) reading->flags |= FLAG_END;
  else if (code != SQLITE_ROW) note_failure(h, &work->failure, code);
  if (!begun && code == SQLITE_DONE) {
    if (recount_columns(h, s)) reading->flags |= FLAG_REPREPARED;
    if (!begin_packet(h, s, 1, reading->mode)) note_own_failure(&work->failure, SQLITE_NOMEM, "out of memory");
  }
}

static napi_value answer(napi_env env, Handle *h, Reading *reading, int done) {
  Statement *s = reading->statement;
  if (!done) {
    /* The rows before a failed step are returned first, and the error with the next call. */
    int packed = reading->work.failure.code != SQLITE_NOMEM && h->scratch && h->scratch->rows > 0;
    /* The parameters stay bound, so that a read that met a lock can be tried again. */
    stop_run(h, s);
    if (!packed) {
      throw_failure(env, h, &reading->work.failure);
      return NULL;
    }
    keep_failure(env, &reading->work.failure, &s->failure);
  } else if (reading->only || (reading->flags & FLAG_END)) {
    end_run(h, s);
    reading->flags |= FLAG_END;
  }
  napi_value packet = take_packet(env, h, s, reading->flags, reading->into, reading->room);
  if (!packet) end_run(h, s);
  return packet;
}

/* (token, statement, limit, bytes, mode, only, control block, sequence, into) */
napi_value rows(napi_env env, napi_callback_info info) {
  napi_value arguments[9];
  double token, limit, bytes, mode, sequence = 0;
  bool only;
  Reading reading = {.work = {.run = run_rows}};
  if (!read_arguments(env, info, 9, arguments, &token)) return NULL;
  if (!read_count(env, arguments[2], MAX_ROWS, "limit must be a number of rows up to 1,048,576", &limit)) return NULL;
  if (!read_count(env, arguments[3], 1e15, "bytes must be a number", &bytes)) return NULL;
  if (N(napi_get_value_double)(env, arguments[4], &mode) != napi_ok || !is_mode(mode))
    return wrong_type(env, "mode must be 0, 1 or 2, or 4 more");
  if (N(napi_get_value_bool)(env, arguments[5], &only) != napi_ok) return wrong_type(env, "only must be a boolean");
  if (!read_control(env, arguments[6], &reading.control)) return NULL;
  if (reading.control.words && !read_sequence(env, arguments[7], &sequence)) return NULL;
  if (!is_type(env, arguments[8], napi_undefined)) {
    reading.into = typed_array(env, arguments[8], napi_uint8_array, &reading.room);
    if (!reading.into || (uintptr_t)reading.into % 8) return wrong_type(env, "into must be a Uint8Array at a multiple of 8");
  }
  Handle *h = own_handle(env, token);
  Statement *s = h ? statement_of(env, h, arguments[1]) : NULL;
  if (!s) return NULL;
  if (s->failure.code != SQLITE_OK) {
    throw_failure(env, h, &s->failure);
    return NULL;
  }
  reading.statement = s;
  reading.limit = limit < 1 ? 1 : (uint32_t)limit;
  reading.bytes = bytes;
  reading.mode = (int)mode;
  reading.only = only;
  reading.sequence = (uint32_t)sequence;
  if (h->scratch) h->scratch->rows = 0;
  int done = perform(env, h, &reading.work);
  return answer(env, h, &reading, done);
}
