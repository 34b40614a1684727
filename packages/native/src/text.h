/* Text in JavaScript's own form: Latin-1, or UTF-16 as soon as a character needs it. */
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

/* Appends UTF-8 to a text, and widens the text to UTF-16 if needed. Invalid UTF-8 becomes U+FFFD, as in the decoder of
   the Encoding Standard. Returns the number of units, or -1 if there is no memory. */
int64_t append_text(Bytes *text, uint8_t *wide, const uint8_t *utf8, size_t length);
/* The same into `to`, which has room for `length` bytes. Returns -1 if a character does not fit into Latin-1. */
int64_t latin1_of(uint8_t *to, const uint8_t *utf8, size_t length);

/* A dictionary of a few repeating texts. */
enum { MAX_TERMS = 512, TERM_PLACES = 2048, MAX_TERM_LENGTH = 64 };
typedef struct {
  uint32_t offsets[MAX_TERMS], lengths[MAX_TERMS]; /* in `bytes`, as UTF-8 */
  uint64_t hashes[MAX_TERMS];
  uint16_t places[TERM_PLACES]; /* open addressing; 1 + number, or 0 */
  uint32_t count, seen;
  Bytes bytes;
} Terms;

void clear_terms(Terms *terms);
/* 1 + the number of the term; 0 if the texts do not repeat enough or there is no memory. */
uint32_t term_of(Terms *terms, const uint8_t *utf8, size_t length);

#endif
