#include "handles.h"

typedef struct {
  Handle *handle;
  uint32_t generation;
} Slot;

/* The only state that outlives a handle. Protected by the mutex. */
static struct {
  Slot *slots;
  uint32_t count;
  uint64_t loads;
} table;

#define SLOT_BITS 20
#define MAX_SLOTS (1u << SLOT_BITS)

const void *table_of_handles(void) { return &table; }

int add_handle(Handle *h) {
  int added = 0;
  uint32_t slot = 0;
  lock();
  while (slot < table.count && (table.slots[slot].handle || table.slots[slot].generation == UINT32_MAX)) slot++;
  if (slot == table.count && slot < MAX_SLOTS) {
    uint32_t count = table.count ? table.count * 2 : 16;
    Slot *slots = realloc(table.slots, count * sizeof *slots);
    if (slots) {
      memset(slots + table.count, 0, (count - table.count) * sizeof *slots);
      table.slots = slots;
      table.count = count;
    }
  }
  if (slot < table.count) {
    table.slots[slot].generation++;
    table.slots[slot].handle = h;
    h->slot = slot;
    h->loaded = ++table.loads;
    added = 1;
  }
  unlock();
  return added;
}

void remove_handle(const Handle *h) {
  lock();
  table.slots[h->slot].handle = NULL;
  unlock();
}

void handle_loaded(Handle *h) {
  lock();
  h->loaded = ++table.loads;
  unlock();
}

double token_of(const Handle *h) {
  return (double)((uint64_t)table.slots[h->slot].generation << SLOT_BITS | h->slot);
}

Handle *find_handle(double token) {
  if (!(token >= 0 && token < 9007199254740992.0)) return NULL;
  uint64_t bits = (uint64_t)token;
  uint32_t slot = (uint32_t)(bits & (MAX_SLOTS - 1));
  if ((double)bits != token || slot >= table.count) return NULL;
  return table.slots[slot].generation == bits >> SLOT_BITS ? table.slots[slot].handle : NULL;
}

static Handle *handle_from(uint32_t slot) {
  for (; slot < table.count; slot++) {
    if (table.slots[slot].handle) return table.slots[slot].handle;
  }
  return NULL;
}

Handle *first_handle(void) { return handle_from(0); }
Handle *next_handle(const Handle *h) { return handle_from(h->slot + 1); }

Handle *last_handle(void) {
  Handle *last = NULL;
  for (Handle *h = first_handle(); h; h = next_handle(h)) {
    if (same_thread(h->owner, this_thread()) && (!last || h->loaded > last->loaded)) last = h;
  }
  return last;
}

Handle *handle_of(napi_env env) {
  Handle *h = first_handle();
  while (h && h->env != env) h = next_handle(h);
  return h;
}

void replace_reference(Handle *h, napi_env env, napi_ref *field, napi_ref reference) {
  napi_ref before = *field;
  /* Only its own thread may delete a reference. If an engine closes on another thread, the reference is leaked. */
  if (before && same_thread(h->owner, this_thread())) N(napi_delete_reference)(h->env, before);
  lock();
  *field = reference;
  h->env = reference ? env : h->authorizer || h->guard || h->block ? h->env : NULL;
  unlock();
}
