#include "packing.h"
#include "js.h"

#define MAX_SAFE INT64_C(9007199254740991)
/* More memory of a column than this is freed together with its packet. */
#define KEPT_BYTES (1 << 20)
/* A dictionary pays off from this number of rows on. */
#define TERMS_ROWS 256

typedef struct PackedColumn {
  uint8_t kind, nullable, wide, varied;
  uint8_t raw;     /* texts are bytes */
  uint32_t room;   /* number of rows that fit */
  uint8_t *cells;  /* 8 bytes per row, even if the kind needs fewer */
  uint8_t *tags;   /* a byte per row */
  Bytes text, blobs;
  Terms *terms;
} PackedColumn;

int is_mode(double mode) {
  for (int raw = 0; raw <= MODE_RAW_TEXT; raw += MODE_RAW_TEXT)
    for (int integers = MODE_AUTO; integers <= MODE_NUMBER; integers++)
      if (mode == (raw | integers)) return 1;
  return 0;
}

/* ---- one column ---- */

/* Returns the number of units, or -1 if there is no memory. */
static inline int64_t add_text(PackedColumn *c, const uint8_t *utf8, size_t length) {
  if (c->raw) return append_bytes(&c->text, utf8, length) ? (int64_t)length : -1;
  return append_text(&c->text, &c->wide, utf8, length);
}

static void set_nulls(PackedColumn *c, uint32_t rows) {
  c->nullable = rows > 0 || c->nullable;
  for (uint32_t r = 0; r < rows; r++) {
    switch (c->kind) {
      case KIND_INT32: ((int32_t *)c->cells)[r] = INT32_MIN; break;
      case KIND_FLOAT: ((double *)c->cells)[r] = (double)NAN; break;
      case KIND_TERMS: ((uint16_t *)c->cells)[r] = 0; break;
      case KIND_INT64: ((int64_t *)c->cells)[r] = 0, c->tags[r] = 1; break;
      default: ((int32_t *)c->cells)[r] = -1;
    }
  }
}

/* The first value that is not NULL sets the kind of the column. */
static int leave_null(PackedColumn *c, int type, int mode, uint32_t rows, uint32_t most) {
  if (type == SQLITE_INTEGER) c->kind = mode == MODE_BIGINT ? KIND_INT64 : KIND_INT32;
  else if (type == SQLITE_FLOAT) c->kind = KIND_FLOAT;
  else if (type == SQLITE_BLOB) c->kind = KIND_BLOB;
  else c->kind = KIND_TEXT;
  if (c->kind == KIND_TEXT && !c->varied && most >= TERMS_ROWS) {
    if (!c->terms) c->terms = calloc(1, sizeof *c->terms);
    if (!c->terms) return 0;
    clear_terms(c->terms);
    c->kind = KIND_TERMS;
  }
  set_nulls(c, rows);
  return 1;
}

static void int32_to_float(PackedColumn *c, uint32_t rows) {
  const int32_t *from = (const int32_t *)c->cells;
  double *to = (double *)c->cells;
  /* From the end, because the cells become wider. */
  for (uint32_t r = rows; r-- > 0;) {
    int32_t value = from[r];
    to[r] = c->nullable && value == INT32_MIN ? (double)NAN : value;
  }
  c->kind = KIND_FLOAT;
}

static int64_t add_term(PackedColumn *c, uint32_t term) {
  return add_text(c, c->terms->bytes.bytes + c->terms->offsets[term], c->terms->lengths[term]);
}

/* The number of units of a term. A unit has at most as many bytes as its UTF-8. */
static int32_t term_units(const PackedColumn *c, uint32_t term) {
  const Terms *terms = c->terms;
  uint8_t room[MAX_TERM_LENGTH * 2], wide = 0;
  Bytes counted = {room, 0, sizeof room};
  if (c->raw) return (int32_t)terms->lengths[term];
  return (int32_t)append_text(&counted, &wide, terms->bytes.bytes + terms->offsets[term], terms->lengths[term]);
}

static int terms_to_text(PackedColumn *c, uint32_t rows) {
  const uint16_t *from = (const uint16_t *)c->cells;
  int32_t *to = (int32_t *)c->cells;
  for (uint32_t r = 0; r < rows; r++)
    if (from[r] && add_term(c, from[r] - 1u) < 0) return 0;
  /* From the end, because the cells become wider. */
  for (uint32_t r = rows; r-- > 0;) {
    uint32_t term = from[r];
    to[r] = term ? term_units(c, term - 1) : -1;
  }
  c->kind = KIND_TEXT;
  c->varied = 1;
  return 1;
}

/* Makes it a column for all kinds of values. */
static int to_mixed(PackedColumn *c, uint32_t rows) {
  int64_t *cells = (int64_t *)c->cells;
  if (c->kind == KIND_TERMS && !terms_to_text(c, rows)) return 0;
  if (c->kind == KIND_INT32) int32_to_float(c, rows);
  switch (c->kind) {
    case KIND_FLOAT:
      for (uint32_t r = 0; r < rows; r++) {
        double value = ((const double *)c->cells)[r];
        c->tags[r] = value == value ? TAG_NUMBER : TAG_NULL;
      }
      break;
    case KIND_INT64:
      for (uint32_t r = 0; r < rows; r++) c->tags[r] = c->nullable && c->tags[r] ? TAG_NULL : TAG_INT64;
      break;
    default: {
      const int32_t *from = (const int32_t *)c->cells;
      uint8_t tag = c->kind == KIND_TEXT ? TAG_TEXT : TAG_BLOB;
      for (uint32_t r = rows; r-- > 0;) {
        int32_t length = from[r];
        c->tags[r] = length < 0 ? TAG_NULL : tag;
        cells[r] = length;
      }
    }
  }
  c->kind = KIND_MIXED;
  return 1;
}

/* SQLite gives no address for an empty blob, and none when it runs out of memory. */
static int add_blob(PackedColumn *c, const void *bytes, int64_t length) {
  return (bytes || length == 0) && append_bytes(&c->blobs, bytes, (size_t)length);
}

static int64_t take_mixed(const Handle *h, PackedColumn *c, sqlite3_value *value, int type, uint32_t r, int mode) {
  ENGINE_OF(h);
  int64_t *cell = (int64_t *)c->cells + r;
  double number;
  *cell = 0;
  switch (type) {
    case SQLITE_INTEGER:
      *cell = sqlite3_value_int64(value);
      c->tags[r] = TAG_INT64;
      if (mode == MODE_BIGINT || (mode == MODE_AUTO && (*cell > MAX_SAFE || *cell < -MAX_SAFE))) return 9;
      number = (double)*cell;
      memcpy(cell, &number, 8);
      c->tags[r] = TAG_NUMBER;
      return 9;
    case SQLITE_FLOAT:
      number = sqlite3_value_double(value);
      memcpy(cell, &number, 8);
      c->tags[r] = TAG_NUMBER;
      return 9;
    case SQLITE_TEXT: {
      const uint8_t *text = sqlite3_value_text(value);
      *cell = text ? add_text(c, text, (size_t)sqlite3_value_bytes(value)) : -1;
      c->tags[r] = TAG_TEXT;
      return *cell < 0 ? -1 : *cell + 9;
    }
    case SQLITE_BLOB: {
      const void *bytes = sqlite3_value_blob(value);
      *cell = sqlite3_value_bytes(value);
      c->tags[r] = TAG_BLOB;
      return add_blob(c, bytes, *cell) ? *cell + 9 : -1;
    }
    default:
      c->tags[r] = TAG_NULL;
      return 9;
  }
}

/* Stores a value in row `r`. Returns its approximate size in bytes, -1 if there is no memory, or -2 if the column must
   first change its kind. */
static inline int64_t take(const Handle *h, PackedColumn *c, sqlite3_value *value, int type, uint32_t r, int mode) {
  ENGINE_OF(h);
  switch (c->kind) {
    case KIND_INT32:
      if (LIKELY(type == SQLITE_INTEGER)) {
        sqlite3_int64 integer = sqlite3_value_int64(value);
        if (!LIKELY(integer > INT32_MIN && integer <= INT32_MAX)) return -2;
        ((int32_t *)c->cells)[r] = (int32_t)integer;
        return 4;
      }
      if (type != SQLITE_NULL) return -2;
      c->nullable = 1;
      ((int32_t *)c->cells)[r] = INT32_MIN;
      return 4;
    case KIND_FLOAT:
      if (LIKELY(type == SQLITE_FLOAT)) {
        ((double *)c->cells)[r] = sqlite3_value_double(value);
        return 8;
      }
      if (type == SQLITE_INTEGER && mode != MODE_BIGINT) {
        sqlite3_int64 integer = sqlite3_value_int64(value);
        if (mode == MODE_AUTO && (integer > MAX_SAFE || integer < -MAX_SAFE)) return -2;
        ((double *)c->cells)[r] = (double)integer;
        return 8;
      }
      if (type != SQLITE_NULL) return -2;
      c->nullable = 1;
      ((double *)c->cells)[r] = (double)NAN;
      return 8;
    case KIND_TERMS:
      if (LIKELY(type == SQLITE_TEXT)) {
        const uint8_t *text = sqlite3_value_text(value);
        if (!text) return -1;
        uint32_t term = term_of(c->terms, text, (size_t)sqlite3_value_bytes(value));
        if (!LIKELY(term)) return -2;
        ((uint16_t *)c->cells)[r] = (uint16_t)term;
        return 4;
      }
      if (type != SQLITE_NULL) return -2;
      ((uint16_t *)c->cells)[r] = 0;
      return 4;
    case KIND_TEXT:
      if (LIKELY(type == SQLITE_TEXT)) {
        const uint8_t *text = sqlite3_value_text(value);
        int64_t units = text ? add_text(c, text, (size_t)sqlite3_value_bytes(value)) : -1;
        ((int32_t *)c->cells)[r] = (int32_t)units;
        return units < 0 ? -1 : units + 4;
      }
      if (type != SQLITE_NULL) return -2;
      ((int32_t *)c->cells)[r] = -1;
      return 4;
    case KIND_INT64:
      if (type == SQLITE_INTEGER) {
        ((int64_t *)c->cells)[r] = sqlite3_value_int64(value);
        c->tags[r] = 0;
        return 8;
      }
      if (type != SQLITE_NULL) return -2;
      c->nullable = 1;
      ((int64_t *)c->cells)[r] = 0;
      c->tags[r] = 1;
      return 8;
    case KIND_BLOB:
      if (type == SQLITE_BLOB) {
        const void *bytes = sqlite3_value_blob(value);
        int length = sqlite3_value_bytes(value);
        ((int32_t *)c->cells)[r] = length;
        return add_blob(c, bytes, length) ? length + 4 : -1;
      }
      if (type != SQLITE_NULL) return -2;
      ((int32_t *)c->cells)[r] = -1;
      return 4;
    case KIND_MIXED:
      return take_mixed(h, c, value, type, r, mode);
    default:
      return type == SQLITE_NULL ? 1 : -2;
  }
}

/* Changes the column to a kind that can take the value. False if there is no memory. */
static int change_kind(PackedColumn *c, int type, int mode, uint32_t r, uint32_t most) {
  if (c->kind == KIND_NULL) return leave_null(c, type, mode, r, most);
  if (c->kind == KIND_TERMS && type == SQLITE_TEXT) return terms_to_text(c, r);
  if (c->kind == KIND_INT32 && (type == SQLITE_INTEGER || type == SQLITE_FLOAT)) return int32_to_float(c, r), 1;
  return to_mixed(c, r);
}

/* ---- a packet ---- */

static int make_columns(Scratch *scratch, int count) {
  if (count <= scratch->column_room) return 1;
  PackedColumn *columns = realloc(scratch->columns, (size_t)count * sizeof *columns);
  if (!columns) return 0;
  memset(columns + scratch->column_room, 0, (size_t)(count - scratch->column_room) * sizeof *columns);
  scratch->columns = columns;
  scratch->column_room = count;
  return 1;
}

static int make_cells(PackedColumn *c, uint32_t rows) {
  if (rows <= c->room) return 1;
  free(c->cells);
  free(c->tags);
  c->cells = malloc((size_t)rows * 8);
  c->tags = malloc(rows);
  c->room = c->cells && c->tags ? rows : 0;
  return c->room != 0;
}

int begin_packet(Handle *h, Statement *s, uint32_t rows, int mode) {
  if (!h->scratch && !(h->scratch = calloc(1, sizeof *h->scratch))) return 0;
  if (s->mode != mode) {
    free(s->habits);
    s->habits = NULL;
    s->mode = mode;
  }
  if (!s->habits && !(s->habits = calloc((size_t)s->columns + 1, sizeof *s->habits))) return 0;
  Scratch *scratch = h->scratch;
  if (!make_columns(scratch, s->columns)) return 0;
  scratch->column_count = s->columns;
  scratch->rows = 0;
  scratch->row_room = rows;
  for (int i = 0; i < s->columns; i++) {
    PackedColumn *c = &scratch->columns[i];
    ColumnHabit *habit = &s->habits[i];
    if (!make_cells(c, rows)) return 0;
    c->kind = habit->kind;
    c->nullable = habit->nullable;
    c->varied = habit->varied;
    c->wide = 0;
    c->raw = (mode & MODE_RAW_TEXT) != 0;
    c->text.count = c->blobs.count = 0;
    /* The first value chooses the kind again, because whether a dictionary pays off depends on the number of rows. */
    if (c->kind == KIND_TERMS || c->kind == KIND_TEXT || c->kind == KIND_MIXED) c->kind = KIND_NULL;
  }
  return 1;
}

int64_t pack_row(const Handle *h, Statement *s, int mode) {
  ENGINE_OF(h);
  Scratch *scratch = h->scratch;
  const uint32_t r = scratch->rows;
  const int count = scratch->column_count;
  const int integers = mode & MODE_INTEGERS;
  int64_t bytes = 0;
  for (int i = 0; i < count; i++) {
    PackedColumn *c = &scratch->columns[i];
    /* In SQLite's sense this value is not "protected". That matters between threads, and a handle has only one. */
    sqlite3_value *value = sqlite3_column_value(s->stmt, i);
    int type = sqlite3_value_type(value);
    int64_t size = take(h, c, value, type, r, integers);
    while (size == -2)
      size = change_kind(c, type, integers, r, scratch->row_room) ? take(h, c, value, type, r, integers) : -1;
    if (size < 0) return -1;
    bytes += size;
  }
  scratch->rows++;
  return bytes;
}

static size_t aligned(size_t bytes) { return (bytes + 7) & ~(size_t)7; }

static size_t cell_bytes(const PackedColumn *c) {
  switch (c->kind) {
    case KIND_NULL: return 0;
    case KIND_TERMS: return 2;
    case KIND_FLOAT:
    case KIND_INT64:
    case KIND_MIXED: return 8;
    default: return 4;
  }
}

static int has_tags(const PackedColumn *c) { return c->kind == KIND_MIXED || (c->kind == KIND_INT64 && c->nullable); }

/* Writes the terms as the column's text, and their lengths as its blobs. */
static int write_terms(PackedColumn *c) {
  const Terms *terms = c->terms;
  for (uint32_t t = 0; t < terms->count; t++) {
    int32_t units = (int32_t)add_term(c, t);
    if (units < 0 || !append_bytes(&c->blobs, &units, sizeof units)) return 0;
  }
  return 1;
}

static void put(uint8_t *block, size_t *at, const void *bytes, size_t count) {
  if (count) memcpy(block + *at, bytes, count);
  *at += aligned(count);
}

static void write_packet(uint8_t *block, const Scratch *scratch, int flags) {
  int32_t *head = (int32_t *)block;
  size_t at = aligned((HEAD_WORDS + COLUMN_WORDS * (size_t)scratch->column_count) * 4);
  head[0] = (int32_t)scratch->rows;
  head[1] = flags;
  head[2] = scratch->column_count;
  for (int i = 0; i < scratch->column_count; i++) {
    const PackedColumn *c = &scratch->columns[i];
    int32_t *word = head + HEAD_WORDS + COLUMN_WORDS * i;
    word[0] = c->kind | c->nullable << 8 | c->wide << 9;
    word[1] = (int32_t)(at >> 3);
    put(block, &at, c->cells, cell_bytes(c) * scratch->rows);
    if (has_tags(c)) put(block, &at, c->tags, scratch->rows);
    word[2] = (int32_t)(at >> 3);
    word[3] = (int32_t)(c->text.count >> c->wide);
    put(block, &at, c->text.bytes, c->text.count);
    word[4] = (int32_t)(at >> 3);
    word[5] = (int32_t)c->blobs.count;
    put(block, &at, c->blobs.bytes, c->blobs.count);
  }
}

static void give_back(Bytes *b) {
  if (b->room <= KEPT_BYTES) return;
  free(b->bytes);
  *b = (Bytes){NULL, 0, 0};
}

napi_value take_packet(napi_env env, Handle *h, Statement *s, int flags, uint8_t *into, size_t room) {
  Scratch *scratch = h->scratch;
  napi_value result = NULL;
  void *block = into;
  size_t size = aligned((HEAD_WORDS + COLUMN_WORDS * (size_t)scratch->column_count) * 4);
  int whole = 1;
  for (int i = 0; i < scratch->column_count; i++) {
    PackedColumn *c = &scratch->columns[i];
    if (c->kind == KIND_TERMS) whole = write_terms(c) && whole;
    size += aligned(cell_bytes(c) * scratch->rows) + aligned(c->text.count) + aligned(c->blobs.count);
    if (has_tags(c)) size += aligned(scratch->rows);
    if (s->habits) s->habits[i] = (ColumnHabit){c->kind, c->nullable, c->varied};
  }
  if (!whole) return out_of_memory(env);
  if (into && size <= room) N(napi_get_null)(env, &result);
  else if (N(napi_create_arraybuffer)(env, size, &block, &result) != napi_ok || !block) return out_of_memory(env);
  write_packet(block, scratch, flags);
  for (int i = 0; i < scratch->column_count; i++) {
    give_back(&scratch->columns[i].text);
    give_back(&scratch->columns[i].blobs);
  }
  return result;
}

void free_scratch(Handle *h) {
  if (!h->scratch) return;
  for (int i = 0; i < h->scratch->column_room; i++) {
    PackedColumn *c = &h->scratch->columns[i];
    free(c->cells);
    free(c->tags);
    free(c->text.bytes);
    free(c->blobs.bytes);
    if (c->terms) free(c->terms->bytes.bytes);
    free(c->terms);
  }
  free(h->scratch->columns);
  free(h->scratch);
  h->scratch = NULL;
}
