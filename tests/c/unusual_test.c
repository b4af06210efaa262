/* Unusual arguments that are good: every entry takes them and the result is right. */
#include <float.h>

#include "arguments.h"

/* `...` makes an unusual good call out of c; every entry takes it and computes it right. */
#define ACCEPTED(kind, ...)                       \
  for (int entry = 0; entry < ENTRIES; entry++) { \
    Call call, *c = &call;                        \
    call_of(c, kind);                             \
    current_test = #__VA_ARGS__;                  \
    __VA_ARGS__;                                  \
    accepted(c, (enum Entry)entry, __LINE__);     \
    call_free(c);                                 \
  }
/* The same for changes of the shape, made to p before the arrays are. */
#define ACCEPTED_SHAPE(kind, ...)                     \
  for (int entry = 0; entry < ENTRIES; entry++) {     \
    Call call;                                        \
    leet_params shape = params_of(kind), *p = &shape; \
    current_test = #__VA_ARGS__;                      \
    __VA_ARGS__;                                      \
    call_new(&call, p);                               \
    accepted(&call, (enum Entry)entry, __LINE__);     \
    call_free(&call);                                 \
  }

static void accepted(Call *c, enum Entry entry, int line) {
  float *initial = (float *)malloc(c->array[STATE_IN].bytes + 4);
  if (initial == NULL) exit(1);
  memcpy(initial, c->array[STATE_IN].data, c->array[STATE_IN].bytes);
  const leet_status status = enter(c, entry);
  expect(status == LEET_OK && c->p.message[0] == 0, "line %d, %s: status %d: %s", line, kEntry[entry], status,
         c->p.message);
  expect(c->p.method_used >= LEET_METHOD_VANILLA && c->p.method_used <= LEET_METHOD_FLASH,
         "line %d, %s: method_used is %d", line, kEntry[entry], c->p.method_used);
  if (entry != ESTIMATE && status == LEET_OK) {
    const double error = call_error(c, c->argument[STATE_IN] ? initial : NULL);
    expect(error <= 1, "line %d, %s: error is %g of what is allowed", line, kEntry[entry], error);
  }
  free(initial);
}

static void unusual_good_values(void) {
  ACCEPTED(FACTOR, floats(c, DECAY)[0] = -0.0f);
  ACCEPTED(FACTOR, (floats(c, DECAY)[0] = 0, floats(c, DECAY)[3] = 1));
  ACCEPTED(FACTOR, floats(c, DECAY)[1] = FLT_TRUE_MIN);
  ACCEPTED(LOG, (floats(c, DECAY)[0] = -0.0f, floats(c, DECAY)[1] = -INFINITY, floats(c, DECAY)[2] = -FLT_MAX));
  ACCEPTED(GATES, (floats(c, DECAY)[0] = -0.0f, floats(c, DECAY)[7] = -INFINITY, floats(c, DECAY)[8] = -INFINITY));
  ACCEPTED(STRIDED_GATES, floats(c, DECAY)[last_of(c, DECAY)] = -INFINITY);
  ACCEPTED(FACTOR, c->argument[STATE_OUT] = c->argument[STATE_IN]);
  ACCEPTED(RAGGED, c->argument[STATE_OUT] = c->argument[STATE_IN]);
  ACCEPTED(FACTOR, c->argument[STATE_OUT] = NULL);
  ACCEPTED(FACTOR, c->argument[STATE_IN] = NULL);
  ACCEPTED(NONE, c->p.q_len = c->p.k_len = c->p.v_len = c->p.o_len = c->p.initial_state_len = c->p.final_state_len = 0);
  ACCEPTED(NONE, c->p.q_len = c->p.k_len = c->p.v_len = c->p.o_len = UINT64_MAX);
  ACCEPTED(NONE, c->argument[Q] = c->argument[K] = c->argument[V]); /* inputs may share memory; V is the largest */
  ACCEPTED(NONE, c->p.scale = 0);
  ACCEPTED(NONE, c->p.scale = -1e30);
  ACCEPTED(NONE, c->p.threads = 1024);
  ACCEPTED(NONE, c->p.method = LEET_METHOD_AUTO);
  ACCEPTED(NONE, c->p.device = LEET_DEVICE_AUTO);
  ACCEPTED(NONE, c->p.device = LEET_DEVICE_AUTO, c->p.method = LEET_METHOD_AUTO);
  ACCEPTED(RAGGED, c->p.cu_seqlens_len = 0);
  ACCEPTED(RAGGED, (cu(c)[1] = 0, cu(c)[2] = 5));
  ACCEPTED(RAGGED, (cu(c)[1] = 5, cu(c)[2] = 5));
  ACCEPTED_SHAPE(NONE, p->q_stride[2] = p->k_stride[2] = 3); /* one token for all batch rows and heads */
  ACCEPTED_SHAPE(NONE, (p->o_stride[0] = 7, p->o_stride[1] = 14, p->o_stride[2] = 56)); /* axes in any order */
}

static void empty_shapes(void) {
  for (int kind = NONE; kind <= HALF; kind++) {
    for (int layout = LEET_LAYOUT_BHND; layout <= LEET_LAYOUT_BNHD; layout++) {
      ACCEPTED_SHAPE((enum Kind)kind, (p->N = 0, p->layout = layout));
      if (kind != RAGGED) ACCEPTED_SHAPE((enum Kind)kind, (p->B = 0, p->layout = layout));
      if (kind != RAGGED) ACCEPTED_SHAPE((enum Kind)kind, (p->B = 0, p->N = 0, p->layout = layout));
    }
  }
  ACCEPTED_SHAPE(RAGGED, p->S = 40); /* more sequences than tokens */
  for (int method = LEET_METHOD_AUTO; method <= LEET_METHOD_FLASH; method++) {
    ACCEPTED_SHAPE(FACTOR, (p->N = 0, p->method = method, p->threads = 2));
    ACCEPTED_SHAPE(FACTOR, (p->N = 1, p->method = method, p->threads = 2));
  }
}

/* Arrays without elements may be anywhere, NULL included, and cost no time however many rows there are. */
static void empty_arrays(void) {
  ACCEPTED(NONE, c->p.N = 0, c->argument[Q] = c->argument[K] = c->argument[V] = c->argument[OUT] = NULL);
  ACCEPTED(GATES, (c->p.N = 0, c->p.layout = LEET_LAYOUT_BNHD, c->argument[Q] = c->argument[DECAY] = NULL));
  ACCEPTED(NONE, (c->p.N = 0, c->argument[OUT] = byte_of(c, STATE_OUT, 8)));
  ACCEPTED(NONE, (c->p.N = 0, c->argument[Q] = byte_of(c, STATE_OUT, 8), c->argument[OUT] = c->argument[Q]));
  for (int i = 0; i < 2; i++) {
    Call c;
    call_of(&c, GATES);
    current_test = "2^38 empty rows";
    c.p.decay_form = i ? LEET_DECAY_LOG_GATES : LEET_DECAY_NONE;
    c.argument[DECAY] = i ? c.argument[DECAY] : NULL;
    c.p.B = INT64_C(1) << 38;
    c.p.N = 0;
    c.p.initial_state_len = c.p.final_state_len = 0;
    c.argument[STATE_IN] = c.argument[STATE_OUT] = NULL;
    expect(call_forward(&c) == LEET_OK, "%s", c.p.message);
    call_free(&c);
  }
}

int main(void) {
  start_tests();
  alarm(300); /* a hang is a failure */
  unusual_good_values();
  empty_shapes();
  empty_arrays();
  return finish_tests();
}
