#include "loop.h"

struct LoopFunctions loop;

#ifdef _WIN32
#define FIND(result, name, parameters) \
  loop.name = (result(*) parameters)(void (*)(void))GetProcAddress(find_host(), #name);
#else
#define DECLARE(result, name, parameters) extern result name parameters __attribute__((weak));
LOOP_FUNCTIONS(DECLARE)
#define FIND(result, name, parameters) loop.name = name;
#endif
#define MISSES(result, name, parameters) || !loop.name

int find_loop(void) {
  LOOP_FUNCTIONS(FIND)
  return !(0 LOOP_FUNCTIONS(MISSES));
}
