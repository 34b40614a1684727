#include "text.h"

int make_room(Bytes *b, size_t more) {
  if (LIKELY(more <= b->room - b->count)) return 1;
  size_t room = b->room ? b->room : 4096;
  while (room - b->count < more) room *= 2;
  uint8_t *bytes = realloc(b->bytes, room);
  if (!bytes) return 0;
  b->bytes = bytes;
  b->room = room;
  return 1;
}

int append_bytes(Bytes *b, const void *bytes, size_t count) {
  if (!make_room(b, count)) return 0;
  if (count) memcpy(b->bytes + b->count, bytes, count);
  b->count += count;
  return 1;
}

/* Copies bytes. True if all of them are ASCII. */
static int copy_ascii(uint8_t *to, const uint8_t *from, size_t length) {
  uint64_t all = 0;
  uint8_t rest = 0;
  size_t i = 0;
  for (; i + 8 <= length; i += 8) {
    uint64_t eight;
    memcpy(&eight, from + i, 8);
    memcpy(to + i, &eight, 8);
    all |= eight;
  }
  for (; i < length; i++) rest |= to[i] = from[i];
  return !((all & UINT64_C(0x8080808080808080)) | (rest & 0x80));
}

/* The next character, decoded by https://encoding.spec.whatwg.org/#utf-8-decoder. */
static uint32_t next_character(const uint8_t **at, const uint8_t *end) {
  const uint8_t *s = *at;
  uint8_t first = *s++, low = 0x80, high = 0xBF;
  uint32_t character;
  int more;
  if (first < 0x80) {
    *at = s;
    return first;
  }
  if (first >= 0xC2 && first <= 0xDF) {
    more = 1;
    character = first & 0x1F;
  } else if (first >= 0xE0 && first <= 0xEF) {
    more = 2;
    character = first & 0x0F;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    more = 3;
    character = first & 0x07;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    *at = s;
    return 0xFFFD;
  }
  for (; more > 0; more--, low = 0x80, high = 0xBF) {
    if (s == end || *s < low || *s > high) {
      *at = s;
      return 0xFFFD;
    }
    character = character << 6 | (*s++ & 0x3F);
  }
  *at = s;
  return character;
}

int64_t latin1_of(uint8_t *to, const uint8_t *utf8, size_t length) {
  if (LIKELY(copy_ascii(to, utf8, length))) return (int64_t)length;
  const uint8_t *end = utf8 + length;
  uint8_t *start = to;
  while (utf8 < end) {
    uint32_t character = next_character(&utf8, end);
    if (character > 0xFF) return -1;
    *to++ = (uint8_t)character;
  }
  return to - start;
}

static int widen(Bytes *text) {
  size_t count = text->count;
  if (!make_room(text, count)) return 0;
  for (size_t i = count; i-- > 0;) {
    uint16_t unit = text->bytes[i];
    memcpy(text->bytes + i * 2, &unit, 2);
  }
  text->count = count * 2;
  return 1;
}

static void put_unit(Bytes *text, uint32_t unit) {
  uint16_t two = (uint16_t)unit;
  memcpy(text->bytes + text->count, &two, 2);
  text->count += 2;
}

int64_t append_text(Bytes *text, uint8_t *wide, const uint8_t *utf8, size_t length) {
  if (!*wide) {
    if (!make_room(text, length)) return -1;
    if (length == 0) return 0;
    int64_t units = latin1_of(text->bytes + text->count, utf8, length);
    if (LIKELY(units >= 0)) {
      text->count += (size_t)units;
      return units;
    }
    if (!widen(text)) return -1;
    *wide = 1;
  }
  if (!make_room(text, length * 2)) return -1;
  size_t from = text->count;
  for (const uint8_t *end = utf8 + length; utf8 < end;) {
    uint32_t character = next_character(&utf8, end);
    if (character < 0x10000) {
      put_unit(text, character);
    } else {
      put_unit(text, 0xD800 | (character - 0x10000) >> 10);
      put_unit(text, 0xDC00 | ((character - 0x10000) & 0x3FF));
    }
  }
  return (int64_t)((text->count - from) / 2);
}

void clear_terms(Terms *terms) {
  terms->count = terms->seen = 0;
  terms->bytes.count = 0;
  memset(terms->places, 0, sizeof terms->places);
}

static uint64_t hash_of(const uint8_t *s, size_t length) {
  uint64_t hash = length * UINT64_C(0x9E3779B97F4A7C15), word = 0;
  for (; length >= 8; s += 8, length -= 8) {
    memcpy(&word, s, 8);
    hash = (hash ^ word) * UINT64_C(0xFF51AFD7ED558CCD);
    hash ^= hash >> 32;
  }
  word = 0;
  memcpy(&word, s, length);
  hash = (hash ^ word) * UINT64_C(0xC4CEB9FE1A85EC53);
  return hash ^ hash >> 29;
}

/* If more than half of this number of texts were new, there is no dictionary. */
#define SAMPLE 48

uint32_t term_of(Terms *terms, const uint8_t *utf8, size_t length) {
  uint32_t seen = ++terms->seen;
  if (length > MAX_TERM_LENGTH) return 0;
  uint64_t hash = hash_of(utf8, length);
  uint32_t at = (uint32_t)hash & (TERM_PLACES - 1);
  for (; terms->places[at]; at = (at + 1) & (TERM_PLACES - 1)) {
    uint32_t term = terms->places[at] - 1u;
    if (terms->hashes[term] == hash && terms->lengths[term] == length &&
        (length == 0 || memcmp(terms->bytes.bytes + terms->offsets[term], utf8, length) == 0)) {
      return term + 1;
    }
  }
  if (terms->count == MAX_TERMS || (terms->count >= SAMPLE && terms->count * 2 > seen)) return 0;
  uint32_t term = terms->count;
  terms->offsets[term] = (uint32_t)terms->bytes.count;
  if (!append_bytes(&terms->bytes, utf8, length)) return 0;
  terms->hashes[term] = hash;
  terms->lengths[term] = (uint32_t)length;
  terms->places[at] = (uint16_t)++terms->count;
  return terms->count;
}
