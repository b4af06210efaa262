/* Good problems, one per kind of decay, layout or batch, for tests that change one thing in them, and the entries that
 * take a leet_params. */
#ifndef LEET_TESTS_ARGUMENTS_H
#define LEET_TESTS_ARGUMENTS_H

#include "call.h"

enum Kind { NONE, FACTOR, LOG, GATES, STRIDED_GATES, RAGGED, HALF };
enum Entry { FORWARD, START, ESTIMATE, ENTRIES };
static const char *const kEntry[] = {"leet_forward", "leet_forward_start", "leet_estimate"};

static inline leet_params params_of(enum Kind kind) {
  leet_params p = shape_of(2, 4, 2, 5, 3, 7);
  switch (kind) {
    case NONE:
      break;
    case FACTOR:
      p.decay_form = LEET_DECAY_FACTOR;
      break;
    case LOG:
      p.decay_form = LEET_DECAY_LOG;
      break;
    case STRIDED_GATES:
      p.gate_stride[0] = 61;
      p.gate_stride[1] = 2;
      p.gate_stride[2] = 11; /* fall through */
    case GATES:
      p.decay_form = LEET_DECAY_LOG_GATES;
      break;
    case RAGGED:
      p.B = 1;
      p.S = 3;
      break;
    case HALF:
      p.dtype = LEET_F16;
      break;
  }
  p.threads = 1;
  p.method = LEET_METHOD_RECURRENT;
  return p;
}

static inline void call_of(Call *c, enum Kind kind) {
  const leet_params p = params_of(kind);
  call_new(c, &p);
}

static inline float *floats(Call *c, int array) { return (float *)c->array[array].data; }
static inline int64_t *cu(Call *c) { return (int64_t *)c->array[CU].data; }
static inline void *byte_of(Call *c, int array, int64_t offset) { return (char *)c->array[array].data + offset; }
static inline size_t last_of(Call *c, int array) { return c->array[array].bytes / 4 - 1; }

/* The entry with nothing left running afterwards. */
static inline leet_status enter(Call *c, enum Entry entry) {
  if (entry == FORWARD) return call_forward(c);
  if (entry == START) return call_job(c);
  leet_cost cost;
  memset(&cost, 0, sizeof cost);
  cost.struct_size = sizeof cost;
  return leet_estimate(c->passed, &cost);
}

#endif
