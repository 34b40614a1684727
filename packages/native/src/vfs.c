#include "vfs.h"
#include "js.h"

/* Prefixes of paths that the engine's default VFS does not open as ordinary files. No such folder exists, so an engine
   that does not know a prefix cannot create a file of that name. */
#define MEMORY "file:sqlite-aio-memory/"
#define IMMUTABLE "file:sqlite-aio-immutable/"
#define LENGTH(prefix) ((int)sizeof prefix - 1)

/* A VFS in front of the engine's own. It is the default while any thread opens a path with a prefix, and passes other
   paths on. Other copies of this binary find it by its name and use it too, so a new layout needs a new name. */
#define NAME "sqlite-aio-1"
typedef struct {
  sqlite3_vfs vfs;
  sqlite3_vfs *base, *memory; /* `memory` keeps files in memory; all users of a name share one */
  sqlite3_vfs *before;        /* the default before this one */
  int users;
} Prefixes;

/* Follows the engine's structure for an immutable file. It begins with the methods, to which `pMethods` of that
   structure points. */
typedef struct {
  sqlite3_io_methods methods;
  const sqlite3_io_methods *original;
} Immutable;

static Prefixes *prefixes_of(sqlite3_vfs *vfs) {
  return (Prefixes *)vfs;
}

static sqlite3_vfs *base_of(sqlite3_vfs *vfs) {
  return prefixes_of(vfs)->base;
}

static int is_memory(const char *path) {
  return path && strncmp(path, MEMORY, LENGTH(MEMORY)) == 0;
}

static int is_immutable(const char *path) {
  return path && strncmp(path, IMMUTABLE, LENGTH(IMMUTABLE)) == 0;
}

/* The path that the engine's VFS gets. */
static const char *without_prefix(const char *path) {
  return is_immutable(path) ? path + LENGTH(IMMUTABLE) : path;
}

static int immutable_characteristics(sqlite3_file *file) {
  const Immutable *methods = (const Immutable *)file->pMethods;
  return methods->original->xDeviceCharacteristics(file) | SQLITE_IOCAP_IMMUTABLE;
}

/* Size of the engine's structure, with padding. */
static size_t size_of_file(const sqlite3_vfs *base) {
  return ((size_t)base->szOsFile + 15) & ~(size_t)15;
}

static int open_immutable(sqlite3_vfs *base, const char *path, sqlite3_file *file, int flags, int *flags_out) {
  int status = base->xOpen(base, path, file, flags, flags_out);
  if (status != SQLITE_OK || !file->pMethods) return status;
  Immutable *methods = (Immutable *)((char *)file + size_of_file(base));
  methods->methods = *file->pMethods;
  methods->original = file->pMethods;
  methods->methods.xDeviceCharacteristics = immutable_characteristics;
  file->pMethods = &methods->methods;
  return SQLITE_OK;
}

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *flags_out) {
  sqlite3_vfs *base = base_of(vfs), *memory = prefixes_of(vfs)->memory;
  if (is_memory(path)) {
    file->pMethods = NULL;
    /* The journal is in memory as well, and not a file. A name that begins with a slash can be shared. */
    if (!(flags & SQLITE_OPEN_MAIN_DB)) return SQLITE_CANTOPEN;
    return memory->xOpen(memory, path + LENGTH(MEMORY) - 1, file, flags, flags_out);
  }
  if (is_immutable(path) && flags & SQLITE_OPEN_MAIN_DB)
    return open_immutable(base, without_prefix(path), file, flags, flags_out);
  return base->xOpen(base, without_prefix(path), file, flags, flags_out);
}

static int delete_file(sqlite3_vfs *vfs, const char *path, int sync) {
  return is_memory(path) ? SQLITE_OK : base_of(vfs)->xDelete(base_of(vfs), without_prefix(path), sync);
}

static int access_file(sqlite3_vfs *vfs, const char *path, int flags, int *result) {
  *result = 0;
  return is_memory(path) ? SQLITE_OK : base_of(vfs)->xAccess(base_of(vfs), without_prefix(path), flags, result);
}

static int full_pathname(sqlite3_vfs *vfs, const char *path, int size, char *out) {
  int prefix = is_immutable(path) ? LENGTH(IMMUTABLE) : 0;
  if (!is_memory(path) && prefix < size) {
    memcpy(out, path, (size_t)prefix);
    return base_of(vfs)->xFullPathname(base_of(vfs), path + prefix, size - prefix, out + prefix);
  }
  size_t length = strlen(path) + 1;
  if (length > (size_t)size) return SQLITE_CANTOPEN;
  memcpy(out, path, length);
  return SQLITE_OK;
}

static void *dl_open(sqlite3_vfs *vfs, const char *path) {
  return base_of(vfs)->xDlOpen(base_of(vfs), path);
}

static void dl_error(sqlite3_vfs *vfs, int size, char *out) {
  base_of(vfs)->xDlError(base_of(vfs), size, out);
}

static void (*dl_symbol(sqlite3_vfs *vfs, void *library, const char *symbol))(void) {
  return base_of(vfs)->xDlSym(base_of(vfs), library, symbol);
}

static void dl_close(sqlite3_vfs *vfs, void *library) {
  base_of(vfs)->xDlClose(base_of(vfs), library);
}

static int randomness(sqlite3_vfs *vfs, int size, char *out) {
  return base_of(vfs)->xRandomness(base_of(vfs), size, out);
}

static int sleep_for(sqlite3_vfs *vfs, int microseconds) {
  return base_of(vfs)->xSleep(base_of(vfs), microseconds);
}

static int current_time(sqlite3_vfs *vfs, double *days) {
  return base_of(vfs)->xCurrentTime(base_of(vfs), days);
}

static int last_error(sqlite3_vfs *vfs, int size, char *out) {
  return base_of(vfs)->xGetLastError(base_of(vfs), size, out);
}

static int current_time_64(sqlite3_vfs *vfs, sqlite3_int64 *milliseconds) {
  return base_of(vfs)->xCurrentTimeInt64(base_of(vfs), milliseconds);
}

/* The VFS of this engine. It stays registered, because open handles use it. */
static Prefixes *find_prefixes(const sqlite3_api_routines *sqlite3_api) {
  sqlite3_vfs *found = sqlite3_vfs_find(NAME);
  if (found) return prefixes_of(found);
  sqlite3_vfs *base = sqlite3_vfs_find(NULL), *memory = sqlite3_vfs_find("memdb");
  if (!base || !memory || base->iVersion < 2 || memory->szOsFile > base->szOsFile) return NULL;
  Prefixes *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  p->base = base;
  p->memory = memory;
  p->vfs = (sqlite3_vfs){
    .iVersion = 2,
    .szOsFile = (int)(size_of_file(base) + sizeof(Immutable)),
    .mxPathname = base->mxPathname + LENGTH(IMMUTABLE),
    .zName = NAME,
    .xOpen = open_file,
    .xDelete = delete_file,
    .xAccess = access_file,
    .xFullPathname = full_pathname,
    .xDlOpen = dl_open,
    .xDlError = dl_error,
    .xDlSym = dl_symbol,
    .xDlClose = dl_close,
    .xRandomness = randomness,
    .xSleep = sleep_for,
    .xCurrentTime = current_time,
    .xGetLastError = last_error,
    .xCurrentTimeInt64 = current_time_64,
  };
  if (sqlite3_vfs_register(&p->vfs, 0) == SQLITE_OK) return p;
  free(p);
  return NULL;
}

napi_value use_prefixes(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  double token;
  bool on = false;
  if (!read_arguments(env, info, 2, arguments, &token)) return NULL;
  if (N(napi_get_value_bool)(env, arguments[1], &on) != napi_ok) return wrong_type(env, "on must be a boolean");
  Handle *h = own_handle(env, token);
  if (!h) return NULL;
  ENGINE_OF(h);
  /* The engine's mutex, because other copies of this binary do not share ours. */
  sqlite3_mutex *mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1);
  sqlite3_mutex_enter(mutex);
  Prefixes *p = find_prefixes(sqlite3_api);
  /* Threads that open at the same time share it. If a thread ends in the meantime, the VFS stays the default, which
     does no harm. */
  if (p && on && p->users++ == 0) {
    p->before = sqlite3_vfs_find(NULL);
    sqlite3_vfs_register(&p->vfs, 1);
  }
  /* Another default that was registered in the meantime stays. */
  if (p && !on && p->users > 0 && --p->users == 0 && sqlite3_vfs_find(NULL) == &p->vfs && p->before != &p->vfs)
    sqlite3_vfs_register(p->before, 1);
  sqlite3_mutex_leave(mutex);
  return js_boolean(env, p != NULL);
}
