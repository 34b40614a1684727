/* The words that the thread and the one that it works for share: `wire/control-block.ts` of @sqlite-aio/worker lays
   them out, and a test there compares the two. */
#ifndef SQLITE_AIO_CONTROL_H
#define SQLITE_AIO_CONTROL_H
#include "handles.h"

enum {
  CONTROL_RUNNING = 0,      /* the operation that was begun last */
  CONTROL_INTERRUPTING = 1, /* above zero: none may be begun */
  CONTROL_STOPPED = 3,      /* not zero: the thread is to end */
  CONTROL_ENDED = 4,        /* the operation that was ended last */
  CONTROL_INTERRUPTS = 5,   /* how many interrupts were sent */
  CONTROL_MARKS = 40,       /* where the marks of cancelled operations begin, in bytes */
  CONTROL_RING = 4096       /* how many marks there are */
};

typedef struct {
  int32_t *words;  /* NULL where nobody may cancel */
  uint8_t *marks;
} Control;

/* Of an Int32Array over the whole block, or undefined. False if it has thrown. */
int read_control(napi_env env, napi_value block, Control *control);
/* The number of an operation; without one it has thrown. */
int read_sequence(napi_env env, napi_value value, double *sequence);
/* Whether the operation was cancelled after it began, or the thread is to stop. */
int is_cancelled(const Control *control, uint32_t sequence);
/* Marks the operation as begun; false if it was cancelled, or if that has to be waited for: it is not begun then. */
int begin_operation(const Control *control, uint32_t sequence);
/* The operation is over. */
void end_operation(const Control *control, uint32_t sequence);
/* False if an interrupt was sent since it was read as `before`, or is on its way. */
int undisturbed(const Control *control, int32_t before);
int32_t interrupts_sent(const Control *control);
uint32_t next_sequence(uint32_t sequence);

#endif
