/* The shared words of a thread and the main side. `wire/control-block.ts` of @sqlite-aio/worker defines their order,
   and a test of that package compares the two. */
#ifndef SQLITE_AIO_CONTROL_H
#define SQLITE_AIO_CONTROL_H
#include "platform.h"

enum {
  CONTROL_RUNNING = 0,      /* the latest operation that began */
  CONTROL_INTERRUPTING = 1, /* above zero: no operation may begin */
  CONTROL_STOPPED = 3,      /* not zero: the thread must end */
  CONTROL_ENDED = 4,        /* the latest operation that ended */
  CONTROL_INTERRUPTS = 5,   /* number of interrupts sent */
  CONTROL_MARKS = 40,       /* offset of the marks of cancelled operations, in bytes */
  CONTROL_RING = 4096,      /* number of marks */
  CONTROL_GROUP = 1034,     /* above zero: a group that can be rolled back; below zero: from here on an answer tells */
  CONTROL_ALONE = 1035,     /* the operation that commits by itself, 0 for none */
  CONTROL_WORDS = 1036
};

typedef struct {
  int32_t *words;  /* NULL if operations cannot be cancelled */
  uint8_t *marks;
} Control;

/* Reads an Int32Array over the whole block, or undefined. False after throwing. */
int read_control(napi_env env, napi_value block, Control *control);
/* Reads the number of an operation. False after throwing. */
int read_sequence(napi_env env, napi_value value, double *sequence);
/* Whether the operation was cancelled after it began or the thread must stop. */
int is_cancelled(const Control *control, uint32_t sequence);
/* Marks the operation as begun. False if it was cancelled, or if an interrupt is on its way; then it did not begin. */
int begin_operation(const Control *control, uint32_t sequence);
/* Marks the operation as ended. */
void end_operation(const Control *control, uint32_t sequence);
/* Call it when the operation has written, before it ends. Whether its caller has given it up; from here on only its
   answer tells what has become of it. The members of a group are looked at before the group's COMMIT. */
int is_given_up(const Control *control, uint32_t sequence);
/* The same for the operation that commits by itself. 0 if there is none. */
int is_given_up_alone(const Control *control);
/* Call it before the next operation begins. */
void no_answer_tells(const Control *control);
/* False if an interrupt was sent since `before` was read, or is on its way. */
int undisturbed(const Control *control, int32_t before);
int32_t interrupts_sent(const Control *control);
uint32_t next_sequence(uint32_t sequence);

#endif
