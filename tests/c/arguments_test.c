/* Bad arguments through every entry that takes a leet_params: the exact status, a message that names the argument, not
 * one byte of any array changed, and a good call right afterwards. */
#include <float.h>

#include "arguments.h"

static void good_call_works(enum Kind kind) {
  Call c;
  call_of(&c, kind);
  const leet_status status = call_forward(&c);
  expect(status == LEET_OK && call_error_of(&c) <= 1, "a good call afterwards: status %d: %s", status, c.p.message);
  call_free(&c);
}

static void refused(Call *c, enum Entry entry, enum Kind kind, leet_status wanted, const char *name, int line) {
  call_remember(c);
  const leet_status status = enter(c, entry);
  expect(status == wanted, "line %d, %s: expected status %d, got %d: %s", line, kEntry[entry], wanted, status,
         c->p.message);
  expect(call_unchanged(c), "line %d, %s: an array was changed", line, kEntry[entry]);
  if (c->passed != NULL) {
    expect(memchr(c->p.message, 0, sizeof c->p.message) != NULL && strstr(c->p.message, name) == c->p.message,
           "line %d, %s: the message does not begin with '%s': %s", line, kEntry[entry], name, c->p.message);
    expect(c->p.method_used == LEET_METHOD_AUTO || status == LEET_OK || entry != ESTIMATE,
           "line %d, %s: method_used is %d", line, kEntry[entry], c->p.method_used);
  }
  good_call_works(kind);
}

static int bad_kinds; /* statements REFUSED and REFUSED_ARRAY, those in loops once per turn */

/* `...` spoils the good call c of `kind`; every entry says `code` in a message that begins with `name`. */
#define REFUSED_BY(first_entry, entries, kind, code, name, ...)         \
  do {                                                                  \
    bad_kinds++;                                                        \
    for (int entry = first_entry; entry < (int)(entries); entry++) {    \
      Call call, *c = &call;                                            \
      call_of(c, kind);                                                 \
      current_test = #__VA_ARGS__;                                      \
      __VA_ARGS__;                                                      \
      refused(c, (enum Entry)entry, kind, LEET_##code, name, __LINE__); \
      call_free(c);                                                     \
    }                                                                   \
  } while (0)
#define REFUSED(...) REFUSED_BY(FORWARD, ENTRIES, __VA_ARGS__)
/* What leet_estimate cannot see, because it gets no arrays. */
#define REFUSED_ARRAY(...) REFUSED_BY(FORWARD, ESTIMATE, __VA_ARGS__)

static void scalars(void) {
  REFUSED(NONE, INVALID_POINTER, "", c->passed = NULL);
  for (int bad = 0; bad < 4; bad++) {
    const int32_t values[] = {-1, 8, INT32_MIN, INT32_MAX};
    REFUSED(NONE, INVALID_METHOD, "method", c->p.method = values[bad]);
    REFUSED(NONE, INVALID_DEVICE, "device", c->p.device = values[bad]);
    REFUSED(NONE, INVALID_DTYPE, "dtype", c->p.dtype = values[bad]);
    REFUSED(NONE, INVALID_DECAY, "decay_form", c->p.decay_form = values[bad]);
    REFUSED(NONE, INVALID_LAYOUT, "layout", c->p.layout = values[bad]);
  }
  REFUSED(NONE, INVALID_DEVICE, "device", c->p.device = LEET_DEVICE_CUDA + 1);
  REFUSED(NONE, INVALID_DTYPE, "dtype", c->p.dtype = LEET_BF16 + 1);
  REFUSED(FACTOR, INVALID_DECAY, "decay_form", c->p.decay_form = LEET_DECAY_LOG_GATES + 1);
  REFUSED(NONE, INVALID_LAYOUT, "layout", c->p.layout = LEET_LAYOUT_BNHD + 1);
  REFUSED(NONE, INVALID_DEVICE, "device_index", c->p.device_index = -1);
  REFUSED(NONE, INVALID_DEVICE, "device_index", c->p.device_index = 1);
  REFUSED(NONE, INVALID_DEVICE, "device_index", (c->p.device = LEET_DEVICE_AUTO, c->p.device_index = 1));
  REFUSED(NONE, INVALID_DEVICE, "device_index", (c->p.device = LEET_DEVICE_CUDA, c->p.device_index = -1));
  REFUSED(NONE, INVALID_THREADS, "threads", c->p.threads = -1);
  REFUSED(NONE, INVALID_THREADS, "threads", c->p.threads = 1025);
  REFUSED(NONE, INVALID_THREADS, "threads", c->p.threads = INT32_MIN);
  REFUSED(NONE, INVALID_FLAGS, "flags", c->p.flags = 2);
  REFUSED(NONE, INVALID_FLAGS, "flags", c->p.flags = LEET_FLAG_MODEL_H100 | LEET_FLAG_DEVICE_POINTERS);
  REFUSED(NONE, INVALID_FLAGS, "flags", c->p.flags = 8);
  REFUSED(NONE, INVALID_DEVICE, "device", c->p.flags = LEET_FLAG_MODEL_H100);
  REFUSED(NONE, INVALID_FLAGS, "flags", c->p.flags = UINT32_MAX);
  REFUSED(NONE, INVALID_FLAGS, "stream", c->p.stream = 1);
  REFUSED(NONE, INVALID_DEVICE, "device", c->p.flags = LEET_FLAG_DEVICE_POINTERS);
  REFUSED(NONE, INVALID_DEVICE, "device", (c->p.device = LEET_DEVICE_AUTO, c->p.flags = LEET_FLAG_DEVICE_POINTERS));
  REFUSED(NONE, INVALID_SCALE, "scale", c->p.scale = NAN);
  REFUSED(NONE, INVALID_SCALE, "scale", c->p.scale = INFINITY);
  REFUSED(NONE, INVALID_SCALE, "scale", c->p.scale = -INFINITY);
  REFUSED(NONE, INVALID_SCALE, "scale", c->p.scale = 1e300); /* no float32, so o would be infinite or NaN */
}

static void shapes(void) {
  REFUSED(NONE, INVALID_SHAPE, "B:", c->p.B = -1);
  REFUSED(NONE, INVALID_SHAPE, "H:", c->p.H = 0);
  REFUSED(NONE, INVALID_SHAPE, "H:", c->p.H = -4);
  REFUSED(NONE, INVALID_SHAPE, "Hkv:", c->p.Hkv = 0);
  REFUSED(NONE, INVALID_SHAPE, "Hkv:", c->p.Hkv = -2);
  REFUSED(NONE, INVALID_SHAPE, "Hkv:", c->p.Hkv = 3);
  REFUSED(NONE, INVALID_SHAPE, "Hkv:", c->p.Hkv = 8);
  REFUSED(NONE, INVALID_SHAPE, "Hkv:", c->p.Hkv = INT64_MAX);
  REFUSED(NONE, INVALID_SHAPE, "N:", c->p.N = -1);
  REFUSED(NONE, INVALID_SHAPE, "dk:", c->p.dk = 0);
  REFUSED(NONE, INVALID_SHAPE, "dk:", c->p.dk = -3);
  REFUSED(NONE, INVALID_SHAPE, "dv:", c->p.dv = 0);
  REFUSED(NONE, INVALID_SHAPE, "dv:", c->p.dv = -7);
  REFUSED(RAGGED, INVALID_SHAPE, "S", c->p.S = -1);
  REFUSED(RAGGED, SIZE_OVERFLOW, "B", c->p.S = INT64_MAX);
  REFUSED(NONE, INVALID_SHAPE, "B:", c->p.B = INT64_MIN);
  REFUSED(NONE, INVALID_SHAPE, "N:", c->p.N = INT64_MIN);
  REFUSED(NONE, UNSUPPORTED_SHAPE, "dk:", c->p.dk = 513);
  REFUSED(NONE, UNSUPPORTED_SHAPE, "dv:", c->p.dv = 513);
  REFUSED(NONE, UNSUPPORTED_SHAPE, "dk:", c->p.dk = INT64_MAX);
  REFUSED(NONE, UNSUPPORTED_SHAPE, "dv:", c->p.dv = INT64_MAX);
  REFUSED(NONE, SIZE_OVERFLOW, "B", c->p.B = INT64_MAX);
  REFUSED(NONE, SIZE_OVERFLOW, "B", c->p.H = INT64_MAX - 1);
  REFUSED(NONE, SIZE_OVERFLOW, "B", c->p.H = c->p.Hkv = INT64_MAX);
  REFUSED(NONE, SIZE_OVERFLOW, "B", c->p.N = INT64_MAX);
  /* Each product of two or more dimensions passes 2^64 and comes back small. */
  REFUSED(NONE, SIZE_OVERFLOW, "B", c->p.B = c->p.H = INT64_C(1) << 32);
  REFUSED(NONE, SIZE_OVERFLOW, "B", c->p.B = c->p.N = INT64_C(1) << 32);
  REFUSED(NONE, SIZE_OVERFLOW, "B", c->p.H = c->p.N = INT64_C(1) << 32);
  REFUSED(NONE, SIZE_OVERFLOW, "B", (c->p.N = INT64_C(1) << 60, c->p.dk = 16));
  REFUSED(NONE, SIZE_OVERFLOW, "B", (c->p.N = INT64_C(1) << 60, c->p.dv = 16));
  REFUSED(NONE, SIZE_OVERFLOW, "B", (c->p.B = INT64_C(1) << 46, c->p.dk = c->p.dv = 512, c->p.N = 0));
  REFUSED(NONE, SIZE_OVERFLOW, "B", (c->p.H = INT64_C(1) << 46, c->p.dk = c->p.dv = 512, c->p.B = 0));
  REFUSED(NONE, SIZE_OVERFLOW, "B", (c->p.B = c->p.H = c->p.N = INT64_C(1) << 22));
  REFUSED(RAGGED, SIZE_OVERFLOW, "B", (c->p.S = 1 << 30, c->p.H = INT64_C(1) << 34));
}

static void strides(void) {
  for (int axis = 0; axis < 3; axis++) {
    REFUSED(NONE, INVALID_STRIDE, "q_stride", c->p.q_stride[axis] = -1);
    REFUSED(NONE, INVALID_STRIDE, "k_stride", c->p.k_stride[axis] = -1);
    REFUSED(NONE, INVALID_STRIDE, "v_stride", c->p.v_stride[axis] = INT64_MIN);
    REFUSED(NONE, INVALID_STRIDE, "o_stride", c->p.o_stride[axis] = -1);
    REFUSED(GATES, INVALID_STRIDE, "gate_stride", c->p.gate_stride[axis] = -1);
    REFUSED(NONE, SIZE_OVERFLOW, "q:", c->p.q_stride[axis] = INT64_MAX);
    REFUSED(NONE, SIZE_OVERFLOW, "k:", c->p.k_stride[axis] = INT64_MAX);
    REFUSED(NONE, SIZE_OVERFLOW, "v:", c->p.v_stride[axis] = INT64_MAX);
    REFUSED(NONE, SIZE_OVERFLOW, "o:", c->p.o_stride[axis] = INT64_MAX);
    REFUSED(GATES, SIZE_OVERFLOW, "log_gates:", c->p.gate_stride[axis] = INT64_MAX);
    REFUSED(HALF, SIZE_OVERFLOW, "q:", c->p.q_stride[axis] = INT64_MAX / 2 + 1); /* fits in elements, not in bytes */
  }
  /* o [2,4,5,7]: each axis in turn steps on what lies inside it. */
  static const int64_t overlapping[][3] = {{0, 35, 7},   {140, 0, 7}, {140, 35, 0}, {139, 35, 7}, {140, 34, 7},
                                           {140, 35, 6}, {1, 1, 1},   {7, 35, 34},  {28, 7, 27}};
  for (size_t i = 0; i < sizeof overlapping / sizeof overlapping[0]; i++) {
    REFUSED(NONE, INVALID_STRIDE, "o_stride", (memcpy(c->p.o_stride, overlapping[i], 24), c->p.o_len = 0));
  }
}

static void lengths(void) {
  REFUSED(NONE, INVALID_LENGTH, "q:", c->p.q_len -= 1);
  REFUSED(NONE, INVALID_LENGTH, "k:", c->p.k_len -= 1);
  REFUSED(NONE, INVALID_LENGTH, "v:", c->p.v_len -= 1);
  REFUSED(NONE, INVALID_LENGTH, "o:", c->p.o_len -= 1);
  REFUSED(NONE, INVALID_LENGTH, "initial_state:", c->p.initial_state_len -= 1);
  REFUSED(NONE, INVALID_LENGTH, "final_state:", c->p.final_state_len -= 1);
  REFUSED(FACTOR, INVALID_LENGTH, "decay:", c->p.decay_len -= 1);
  REFUSED(LOG, INVALID_LENGTH, "decay:", c->p.decay_len -= 1);
  REFUSED(GATES, INVALID_LENGTH, "log_gates:", c->p.decay_len -= 1);
  REFUSED(STRIDED_GATES, INVALID_LENGTH, "log_gates:", c->p.decay_len -= 1);
  REFUSED_ARRAY(RAGGED, INVALID_LENGTH, "cu_seqlens:", c->p.cu_seqlens_len -= 1);
  REFUSED(NONE, INVALID_LENGTH, "q:", c->p.q_len = 1);
  REFUSED(NONE, INVALID_LENGTH, "q:", c->p.N += 1);
  REFUSED(NONE, INVALID_LENGTH, "q:", c->p.B = INT64_C(1) << 38);
  REFUSED(NONE, INVALID_LENGTH, "v:", c->p.dv = 512);
  REFUSED(NONE, INVALID_LENGTH, "k:", (c->p.k_stride[0] = 31, c->p.k_stride[1] = 15, c->p.k_stride[2] = 3));
}

static void pointers(void) {
  REFUSED_ARRAY(NONE, INVALID_POINTER, "q:", c->argument[Q] = NULL);
  REFUSED_ARRAY(NONE, INVALID_POINTER, "k:", c->argument[K] = NULL);
  REFUSED_ARRAY(NONE, INVALID_POINTER, "v:", c->argument[V] = NULL);
  REFUSED_ARRAY(NONE, INVALID_POINTER, "o:", c->argument[OUT] = NULL);
  REFUSED_ARRAY(FACTOR, INVALID_POINTER, "decay:", c->argument[DECAY] = NULL);
  REFUSED_ARRAY(LOG, INVALID_POINTER, "decay:", c->argument[DECAY] = NULL);
  REFUSED_ARRAY(GATES, INVALID_POINTER, "decay:", c->argument[DECAY] = NULL);
  REFUSED_ARRAY(RAGGED, INVALID_POINTER, "cu_seqlens:", c->argument[CU] = NULL);
  REFUSED_ARRAY(NONE, INVALID_POINTER, "decay:", c->argument[DECAY] = c->array[DECAY].data);
  REFUSED_ARRAY(NONE, INVALID_POINTER, "cu_seqlens:", c->argument[CU] = c->array[CU].data);
  const int off_by[] = {1, 2, 3};
  static const struct {
    int array;
    enum Kind kind;
    const char *name;
  } aligned[] = {{Q, NONE, "q:"},
                 {K, NONE, "k:"},
                 {V, NONE, "v:"},
                 {OUT, NONE, "o:"},
                 {DECAY, FACTOR, "decay:"},
                 {DECAY, GATES, "decay:"},
                 {CU, RAGGED, "cu_seqlens:"},
                 {STATE_IN, NONE, "initial_state:"},
                 {STATE_OUT, NONE, "final_state:"}};
  for (size_t i = 0; i < sizeof aligned / sizeof aligned[0]; i++) {
    for (int j = 0; j < 3; j++) {
      REFUSED_ARRAY(aligned[i].kind, INVALID_ALIGNMENT, aligned[i].name,
                    c->argument[aligned[i].array] = byte_of(c, aligned[i].array, -off_by[j]));
    }
  }
  REFUSED_ARRAY(RAGGED, INVALID_ALIGNMENT, "cu_seqlens:", c->argument[CU] = byte_of(c, CU, -4));
  REFUSED_ARRAY(HALF, INVALID_ALIGNMENT, "q:", c->argument[Q] = byte_of(c, Q, -1));
  REFUSED_ARRAY(HALF, INVALID_ALIGNMENT, "o:", c->argument[OUT] = byte_of(c, OUT, -1));
}

static void values(void) {
  static const float bad_factors[] = {NAN, -0.1f, 1.0000001f, INFINITY, -INFINITY, -FLT_TRUE_MIN, FLT_MAX};
  static const float bad_logs[] = {NAN, 0.1f, FLT_TRUE_MIN, INFINITY};
  for (int i = 0; i < 7; i++) {
    REFUSED_ARRAY(FACTOR, INVALID_DECAY, "decay[0]", floats(c, DECAY)[0] = bad_factors[i]);
    REFUSED_ARRAY(FACTOR, INVALID_DECAY, "decay[3]", floats(c, DECAY)[3] = bad_factors[i]);
  }
  for (int i = 0; i < 4; i++) {
    REFUSED_ARRAY(LOG, INVALID_DECAY, "log_decay[0]", floats(c, DECAY)[0] = bad_logs[i]);
    REFUSED_ARRAY(LOG, INVALID_DECAY, "log_decay[3]", floats(c, DECAY)[3] = bad_logs[i]);
    REFUSED_ARRAY(GATES, INVALID_DECAY, "log_gates[0,0,0]", floats(c, DECAY)[0] = bad_logs[i]);
    REFUSED_ARRAY(GATES, INVALID_DECAY, "log_gates[1,3,4]", floats(c, DECAY)[last_of(c, DECAY)] = bad_logs[i]);
    REFUSED_ARRAY(STRIDED_GATES, INVALID_DECAY, "log_gates[1,3,4]", floats(c, DECAY)[last_of(c, DECAY)] = bad_logs[i]);
  }
  REFUSED_ARRAY(GATES, INVALID_DECAY, "log_gates[0,2,3]",
                (c->p.layout = LEET_LAYOUT_BNHD, floats(c, DECAY)[3 * 4 + 2] = NAN));
  REFUSED_ARRAY(RAGGED, INVALID_CU_SEQLENS, "cu_seqlens[0]", cu(c)[0] = 1);
  REFUSED_ARRAY(RAGGED, INVALID_CU_SEQLENS, "cu_seqlens[0]", cu(c)[0] = -1);
  REFUSED_ARRAY(RAGGED, INVALID_CU_SEQLENS, "cu_seqlens[2]", cu(c)[1] = 3);
  REFUSED_ARRAY(RAGGED, INVALID_CU_SEQLENS, "cu_seqlens[1]", cu(c)[1] = INT64_MIN);
  REFUSED_ARRAY(RAGGED, INVALID_CU_SEQLENS, "cu_seqlens[3]", cu(c)[2] = INT64_MAX);
  REFUSED_ARRAY(RAGGED, INVALID_CU_SEQLENS, "cu_seqlens[3]", cu(c)[3] = 6);
  REFUSED_ARRAY(RAGGED, INVALID_CU_SEQLENS, "cu_seqlens[3]", cu(c)[3] = 4);
  REFUSED(RAGGED, INVALID_CU_SEQLENS, "B:", c->p.B = 2);
  REFUSED(RAGGED, INVALID_CU_SEQLENS, "B:", c->p.B = 0);
}

static void aliases(void) {
  REFUSED_ARRAY(NONE, INVALID_ALIAS, "o:", c->argument[OUT] = c->argument[Q]);
  REFUSED_ARRAY(NONE, INVALID_ALIAS, "o:", c->argument[OUT] = c->argument[K]);
  REFUSED_ARRAY(NONE, INVALID_ALIAS, "o:", c->argument[OUT] = c->argument[V]);
  REFUSED_ARRAY(FACTOR, INVALID_ALIAS, "o:", c->argument[OUT] = c->argument[DECAY]);
  REFUSED_ARRAY(RAGGED, INVALID_ALIAS, "o:", c->argument[OUT] = c->argument[CU]);
  REFUSED_ARRAY(NONE, INVALID_ALIAS, "o:", c->argument[OUT] = c->argument[STATE_IN]);
  REFUSED_ARRAY(NONE, INVALID_ALIAS, "o:", c->argument[OUT] = c->argument[STATE_OUT]);
  REFUSED_ARRAY(HALF, INVALID_ALIAS, "o:", c->argument[OUT] = c->argument[V]);
  REFUSED_ARRAY(NONE, INVALID_ALIAS, "o:", c->argument[OUT] = byte_of(c, V, c->array[V].bytes - 4)); /* last element */
  REFUSED_ARRAY(NONE, INVALID_ALIAS, "o:", c->argument[OUT] = byte_of(c, V, 4 - (int64_t)c->array[OUT].bytes));
  REFUSED_ARRAY(NONE, INVALID_ALIAS, "final_state:", c->argument[STATE_OUT] = c->argument[Q]);
  REFUSED_ARRAY(NONE, INVALID_ALIAS, "final_state:", c->argument[STATE_OUT] = c->argument[K]);
  REFUSED_ARRAY(NONE, INVALID_ALIAS, "final_state:", c->argument[STATE_OUT] = c->argument[V]);
  REFUSED_ARRAY(GATES, INVALID_ALIAS, "final_state:", c->argument[STATE_OUT] = c->argument[DECAY]);
  REFUSED_ARRAY(RAGGED, INVALID_ALIAS, "final_state:", c->argument[STATE_OUT] = c->argument[CU]);
  REFUSED_ARRAY(NONE, INVALID_ALIAS, "final_state:", c->argument[STATE_OUT] = byte_of(c, STATE_IN, 4));
  REFUSED_ARRAY(NONE, INVALID_ALIAS, "final_state:", c->argument[STATE_OUT] = byte_of(c, STATE_IN, -4));
  REFUSED_ARRAY(NONE, INVALID_ALIAS,
                "final_state:", c->argument[STATE_OUT] = byte_of(c, STATE_IN, c->array[STATE_IN].bytes - 4));
}

/* sizeof(leet_params) in earlier versions of the header. */
static const uint32_t kEarlierSizes[] = {544, 552};

/* A struct of an earlier version works as it did, and not a byte behind it is read or written. */
static void earlier_structs(void) {
  for (int i = 0; i < 2; i++) {
    for (int entry = 0; entry < ENTRIES; entry++) {
      current_test = "a struct of an earlier version";
      const uint32_t size = kEarlierSizes[i];
      Call c;
      Array params;
      call_of(&c, FACTOR);
      array_new(&params, size);
      c.p.struct_size = size;
      memcpy(params.data, &c.p, size);
      c.passed = (leet_params *)params.data;
      const leet_status status = enter(&c, (enum Entry)entry);
      memcpy(&c.p, params.data, size);
      expect(status == LEET_OK && c.p.method_used == LEET_METHOD_RECURRENT, "%s: struct_size %u gave %d: %s",
             kEntry[entry], size, status, c.p.message);
      expect(entry == ESTIMATE || call_error_of(&c) <= 1, "%s: struct_size %u: wrong result", kEntry[entry], size);
      array_free(&params);
      call_free(&c);
    }
  }
}

/* What ran is told, in the struct of this version. */
static void used_device(void) {
  for (int device = LEET_DEVICE_AUTO; device <= LEET_DEVICE_CPU; device++) {
    current_test = "device_used";
    Call c;
    call_of(&c, FACTOR);
    c.p.device = device;
    c.p.device_used = c.p.device_index_used = 77;
    expect(call_forward(&c) == LEET_OK, "%s", c.p.message);
    expect(c.p.device_used == LEET_DEVICE_CPU && c.p.device_index_used == 0, "device %d: used %d, %d", device,
           c.p.device_used, c.p.device_index_used);
    call_free(&c);
  }
}

/* struct_size is read first and decides how much else may be touched: the struct here has no byte more. */
static void struct_sizes(void) {
  for (uint32_t size = 0; size <= sizeof(leet_params) + 8; size++) {
    if (size == sizeof(leet_params) || size == kEarlierSizes[0] || size == kEarlierSizes[1]) continue;
    current_test = "struct_size";
    for (int entry = 0; entry < ENTRIES; entry++) {
      Call c;
      Array params;
      call_of(&c, NONE);
      array_new(&params, size < 8 ? 8 : (size + 7) / 8 * 8);
      c.p.struct_size = size;
      memcpy(params.data, &c.p, params.bytes < sizeof c.p ? params.bytes : sizeof c.p);
      c.passed = (leet_params *)params.data;
      array_remember(&params);
      call_remember(&c);
      const leet_status status = enter(&c, (enum Entry)entry);
      expect(status == LEET_INVALID_STRUCT_SIZE, "%s: struct_size %u gave status %d", kEntry[entry], size, status);
      expect(array_unchanged(&params) && call_unchanged(&c), "%s: struct_size %u: memory changed", kEntry[entry], size);
      array_free(&params);
      call_free(&c);
    }
  }
  REFUSED_BY(FORWARD, ENTRIES, NONE, INVALID_STRUCT_SIZE, "", c->p.struct_size = UINT32_MAX);
  good_call_works(NONE);
}

static void missing_outputs(void) {
  Call c;
  call_of(&c, FACTOR);
  current_test = "missing job, cost";
  call_remember(&c);
  expect(call_start(&c, NULL) == LEET_INVALID_POINTER && strstr(c.p.message, "job:") == c.p.message, "%s", c.p.message);
  expect(leet_estimate(&c.p, NULL) == LEET_INVALID_POINTER && strstr(c.p.message, "cost:") == c.p.message, "%s",
         c.p.message);
  for (uint32_t size = 0; size < 2 * sizeof(leet_cost); size++) {
    if (size == sizeof(leet_cost)) continue;
    leet_cost cost;
    memset(&cost, kGuard, sizeof cost);
    cost.struct_size = size;
    const leet_cost before = cost;
    expect(leet_estimate(&c.p, &cost) == LEET_INVALID_STRUCT_SIZE && strstr(c.p.message, "cost") == c.p.message, "%s",
           c.p.message);
    expect(memcmp(&before, &cost, sizeof cost) == 0, "cost changed with struct_size %u", size);
  }
  uint64_t job = 77;
  c.argument[Q] = NULL;
  expect(call_start(&c, &job) == LEET_INVALID_POINTER && job == 0, "a refused start must leave no handle, got %d",
         (int)job);
  expect(call_unchanged(&c), "an array was changed");
  call_free(&c);
}

int main(void) {
  start_tests();
  alarm(300); /* a hang is a failure */
  scalars();
  shapes();
  strides();
  lengths();
  pointers();
  values();
  aliases();
  struct_sizes();
  earlier_structs();
  used_device();
  missing_outputs();
  expect(bad_kinds >= 80, "%d kinds of bad argument", bad_kinds);
  printf("%d kinds of bad argument\n", bad_kinds);
  return finish_tests();
}
