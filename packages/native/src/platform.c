#include "platform.h"

#ifndef _WIN32
#include <time.h>
#endif

#ifdef _WIN32
static SRWLOCK mutex = SRWLOCK_INIT;
void lock(void) { AcquireSRWLockExclusive(&mutex); }
void unlock(void) { ReleaseSRWLockExclusive(&mutex); }
Thread this_thread(void) { return GetCurrentThreadId(); }
int same_thread(Thread a, Thread b) { return a == b; }
void sleep_ms(int ms) { Sleep((DWORD)ms); }
void join_thread(SystemThread thread) {
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
}

double milliseconds(void) {
  LARGE_INTEGER ticks, a_second;
  QueryPerformanceCounter(&ticks);
  QueryPerformanceFrequency(&a_second);
  return (double)ticks.QuadPart * 1e3 / (double)a_second.QuadPart;
}
#else
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
void lock(void) { pthread_mutex_lock(&mutex); }
void unlock(void) { pthread_mutex_unlock(&mutex); }
Thread this_thread(void) { return pthread_self(); }
int same_thread(Thread a, Thread b) { return pthread_equal(a, b); }
void sleep_ms(int ms) { nanosleep(&(struct timespec){0, ms * 1000000L}, NULL); }
void join_thread(SystemThread thread) { pthread_join(thread, NULL); }

double milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}
#endif

typedef struct {
  void (*run)(void *);
  void *argument;
} Start;

#ifdef _WIN32
static DWORD WINAPI begin_thread(void *pointer) {
#else
static void *begin_thread(void *pointer) {
#endif
  Start start = *(Start *)pointer;
  free(pointer);
  start.run(start.argument);
  return 0;
}

int start_thread(SystemThread *thread, void (*run)(void *), void *argument) {
  Start *start = malloc(sizeof *start);
  if (!start) return 0;
  *start = (Start){run, argument};
#ifdef _WIN32
  *thread = CreateThread(NULL, 0, begin_thread, start, 0, NULL);
  int started = *thread != NULL;
#else
  int started = pthread_create(thread, NULL, begin_thread, start) == 0;
#endif
  if (!started) free(start);
  return started;
}

#ifdef _WIN32
struct NodeApi node;

HMODULE find_host(void) {
  HMODULE host = GetModuleHandleW(NULL);
  return GetProcAddress(host, "napi_create_function") ? host : GetModuleHandleW(L"libnode.dll");
}

int find_node(void) {
  HMODULE host = find_host();
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
