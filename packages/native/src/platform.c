#include "platform.h"

#ifdef _WIN32
static SRWLOCK mutex = SRWLOCK_INIT;
void lock(void) { AcquireSRWLockExclusive(&mutex); }
void unlock(void) { ReleaseSRWLockExclusive(&mutex); }
Thread this_thread(void) { return GetCurrentThreadId(); }
int same_thread(Thread a, Thread b) { return a == b; }
#else
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
void lock(void) { pthread_mutex_lock(&mutex); }
void unlock(void) { pthread_mutex_unlock(&mutex); }
Thread this_thread(void) { return pthread_self(); }
int same_thread(Thread a, Thread b) { return pthread_equal(a, b); }
#endif

#ifdef _WIN32
struct NodeApi node;

int find_node(void) {
  HMODULE host = GetModuleHandleW(NULL);
  if (!GetProcAddress(host, "napi_create_function")) host = GetModuleHandleW(L"libnode.dll");
  if (!host) return 0;
#define LOOK_UP(name) \
  node.name = (__typeof__(node.name))(void (*)(void))GetProcAddress(host, #name); \
  if (!node.name) return 0;
  NODE_API(LOOK_UP)
  return 1;
}
#else
int find_node(void) { return 1; }
#endif
