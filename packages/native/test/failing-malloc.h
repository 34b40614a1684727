/* Included before the file that it is for: SQLITE_AIO_ALLOCATIONS says how many allocations succeed, all if it is not set. */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

static int may_allocate(void) {
  static char limit[32];
  static int left;
  const char *now = getenv("SQLITE_AIO_ALLOCATIONS");
  if (!now) {
    limit[0] = 0;
    return 1;
  }
  if (strcmp(limit, now) != 0) {
    strncpy(limit, now, sizeof limit - 1);
    left = atoi(limit);
  }
  return left-- > 0;
}

static void *malloc_or_fail(size_t size) { return may_allocate() ? malloc(size) : NULL; }
static void *calloc_or_fail(size_t count, size_t size) { return may_allocate() ? calloc(count, size) : NULL; }
static void *realloc_or_fail(void *block, size_t size) { return may_allocate() ? realloc(block, size) : NULL; }
#define malloc malloc_or_fail
#define calloc calloc_or_fail
#define realloc realloc_or_fail
