#include "control.h"
#include "js.h"

static int32_t load(const int32_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }

int read_control(napi_env env, napi_value block, Control *control) {
  size_t length = 0;
  *control = (Control){NULL, NULL};
  if (is_type(env, block, napi_undefined)) return 1;
  int32_t *words = typed_array(env, block, napi_int32_array, &length);
  if (!words || length < CONTROL_WORDS) {
    wrong_type(env, "The control block must be an Int32Array over the whole of it");
    return 0;
  }
  *control = (Control){words, (uint8_t *)words + CONTROL_MARKS};
  return 1;
}

int read_sequence(napi_env env, napi_value value, double *sequence) {
  return read_count(env, value, INT32_MAX, "sequence must be a number", sequence);
}

static int is_marked(const Control *control, uint32_t sequence) {
  return __atomic_load_n(&control->marks[sequence & (CONTROL_RING - 1)], __ATOMIC_SEQ_CST) != 0;
}

int is_cancelled(const Control *control, uint32_t sequence) {
  if (!control->words) return 0;
  return is_marked(control, sequence) || load(&control->words[CONTROL_STOPPED]) != 0;
}

int is_given_up(const Control *control, uint32_t sequence) {
  if (!control->words || load(&control->words[CONTROL_GROUP]) > 0) return 0;
  /* The main side stores the mark before it loads this word. */
  __atomic_store_n(&control->words[CONTROL_GROUP], -(int32_t)sequence, __ATOMIC_SEQ_CST);
  return is_marked(control, sequence);
}

void no_answer_tells(const Control *control) {
  if (control->words && load(&control->words[CONTROL_GROUP]) < 0)
    __atomic_store_n(&control->words[CONTROL_GROUP], 0, __ATOMIC_SEQ_CST);
}

int is_given_up_alone(const Control *control) {
  uint32_t sequence = control->words ? (uint32_t)load(&control->words[CONTROL_ALONE]) : 0;
  return sequence != 0 && is_given_up(control, sequence);
}

int begin_operation(const Control *control, uint32_t sequence) {
  if (!control->words) return 1;
  int32_t before = load(&control->words[CONTROL_RUNNING]);
  /* The store comes before the loads. The other side has the reverse order, so at least one side sees the other's
     store. */
  __atomic_store_n(&control->words[CONTROL_RUNNING], (int32_t)sequence, __ATOMIC_SEQ_CST);
  if (load(&control->words[CONTROL_INTERRUPTING]) == 0 && !is_cancelled(control, sequence)) return 1;
  __atomic_store_n(&control->words[CONTROL_RUNNING], before, __ATOMIC_SEQ_CST);
  return 0;
}

void end_operation(const Control *control, uint32_t sequence) {
  if (control->words) __atomic_store_n(&control->words[CONTROL_ENDED], (int32_t)sequence, __ATOMIC_SEQ_CST);
}

int32_t interrupts_sent(const Control *control) {
  return control->words ? load(&control->words[CONTROL_INTERRUPTS]) : 0;
}

int undisturbed(const Control *control, int32_t before) {
  if (!control->words) return 1;
  return load(&control->words[CONTROL_INTERRUPTING]) == 0 && load(&control->words[CONTROL_INTERRUPTS]) == before;
}

uint32_t next_sequence(uint32_t sequence) { return sequence == 0x7fffffff ? 1 : sequence + 1; }
