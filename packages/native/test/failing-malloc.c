/* SQLITE_AIO_ALLOCATIONS is the number of allocations that succeed; all if it is not set. */
#undef malloc
#undef calloc
#undef realloc
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

void *malloc_or_fail(size_t size) { return may_allocate() ? malloc(size) : NULL; }
void *calloc_or_fail(size_t count, size_t size) { return may_allocate() ? calloc(count, size) : NULL; }
void *realloc_or_fail(void *block, size_t size) { return may_allocate() ? realloc(block, size) : NULL; }
