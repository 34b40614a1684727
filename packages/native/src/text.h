/* Text as JavaScript keeps it: in Latin-1, or UTF-16 from the first character on that needs it. */
#ifndef SQLITE_AIO_TEXT_H
#define SQLITE_AIO_TEXT_H
#include "platform.h"

/* Bytes that grow. */
typedef struct {
  uint8_t *bytes;
  size_t count, room;
} Bytes;

int make_room(Bytes *b, size_t more);
int append_bytes(Bytes *b, const void *bytes, size_t count);

/* Appends UTF-8 to a text, which is widened where it has to be; what is no UTF-8 becomes U+FFFD, as the decoder of the
   Encoding Standard has it. Gives the number of units, -1 without memory. */
int64_t append_text(Bytes *text, uint8_t *wide, const uint8_t *utf8, size_t length);
/* The same into `to`, which has room for `length` bytes, if all of it fits into Latin-1; else -1. */
int64_t latin1_of(uint8_t *to, const uint8_t *utf8, size_t length);

/* Few texts that repeat, by number. */
enum { MAX_TERMS = 512, TERM_PLACES = 2048, MAX_TERM_LENGTH = 64 };
typedef struct {
  uint32_t offsets[MAX_TERMS], lengths[MAX_TERMS]; /* in `bytes`, as UTF-8 */
  uint64_t hashes[MAX_TERMS];
  uint16_t places[TERM_PLACES]; /* open addressing, 1 + number or 0 */
  uint32_t count, seen;
  Bytes bytes;
} Terms;

void clear_terms(Terms *terms);
/* 1 + the number of the term; 0 if the texts do not repeat enough, or without memory. */
uint32_t term_of(Terms *terms, const uint8_t *utf8, size_t length);

#endif
