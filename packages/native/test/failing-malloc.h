/* Included before each C file. Allocations fail as SQLITE_AIO_ALLOCATIONS says. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include <stdlib.h>

void *malloc_or_fail(size_t size);
void *calloc_or_fail(size_t count, size_t size);
void *realloc_or_fail(void *block, size_t size);
#define malloc malloc_or_fail
#define calloc calloc_or_fail
#define realloc realloc_or_fail
