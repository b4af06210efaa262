/* The cases of the CUDA kernels: method x dtype x decay form x shape, each run through leet_forward and judged by the
 * float64 recurrence. */
#ifndef LEET_TESTS_CUDA_CASES_H
#define LEET_TESTS_CUDA_CASES_H

#include <initializer_list>

#include "emulator.h"
#include "judge.h"

namespace {

const char *const kMethod[] = {"auto", "vanilla", "recurrent", "block", "recursion", "lightning", "fleet", "flash"};
const char *const kDtype[] = {"f32", "f16", "bf16"};
const char *const kForm[] = {"none", "decay", "log_decay", "log_gates"};
const char *const kSchedule[] = {"forward", "reverse"};

enum Extra { DENSE, BNHD, STRIDED, IN_PLACE, NO_STATES, NO_INITIAL, NO_FINAL, EQUAL };

struct Shape {
  int64_t B, H, Hkv, N, dk, dv, S;
  Extra extra;
};

const Shape kShapes[] = {
    {1, 1, 1, 70, 16, 16, 0, DENSE},     {1, 2, 1, 65, 40, 24, 0, BNHD},      {2, 2, 2, 33, 32, 33, 0, STRIDED},
    {1, 2, 1, 130, 9, 17, 3, DENSE},     {1, 1, 1, 64, 64, 64, 0, IN_PLACE},  {1, 3, 3, 1, 20, 36, 0, IN_PLACE},
    {1, 2, 2, 7, 130, 70, 0, NO_STATES}, {1, 1, 1, 3, 200, 5, 0, NO_INITIAL}, {2, 1, 1, 0, 8, 8, 0, DENSE},
    {1, 1, 1, 195, 5, 3, 0, NO_FINAL},   {1, 1, 1, 12, 1, 1, 4, BNHD},        {1, 1, 1, 64, 128, 72, 0, BNHD},
};

/* Equal terms that hardly decay: what rounding loses adds up instead of cancelling. */
const Shape kLongShapes[] = {{1, 1, 1, 1000, 40, 6, 0, EQUAL}};
/* For the methods that have a kernel for each size of dk. */
const Shape kSizes[] = {
    {1, 1, 1, 140, 60, 20, 0, DENSE}, {1, 2, 1, 135, 100, 18, 0, NO_FINAL}, {1, 1, 1, 200, 250, 12, 0, IN_PLACE}};
const Shape kLongSizes[] = {
    {1, 1, 1, 2048, 6, 6, 0, EQUAL}, {1, 1, 1, 700, 100, 4, 0, EQUAL}, {1, 1, 1, 500, 200, 3, 0, EQUAL}};
/* The error of their final state, relative: where nothing decays, and where it does, by method. */
const double kLongState = 5e-7, kLongDecayed[] = {0, 8e-8, 2e-7, 8e-8, 1.5e-7, 8e-8, 2e-7, 2.5e-7};

/* Long enough to be cut in segments, and the widest heads. */
const Shape kFlashShapes[] = {
    {1, 2, 1, 700, 48, 20, 0, DENSE},    {1, 1, 1, 600, 32, 24, 0, IN_PLACE},  {1, 2, 1, 900, 33, 9, 3, BNHD},
    {2, 1, 1, 530, 9, 12, 0, STRIDED},   {1, 1, 1, 1030, 64, 8, 0, NO_STATES}, {1, 1, 1, 515, 128, 16, 0, NO_INITIAL},
    {1, 1, 1, 300, 256, 8, 0, IN_PLACE}, {1, 1, 1, 66, 256, 256, 0, DENSE},    {1, 2, 1, 97, 128, 130, 0, BNHD},
    {1, 1, 1, 520, 100, 130, 0, DENSE},  {1, 1, 1, 300, 64, 128, 0, IN_PLACE}, {1, 1, 1, 400, 128, 128, 0, DENSE},
};

struct Case {
  const Shape *shape;
  int method, dtype, form;
};

/* Calls f(Case) for every case of a method. */
template <class F>
void for_cases(int method, const F &f) {
  const auto all = [&](const Shape &s) {
    for (int dtype = LEET_F32; dtype <= LEET_BF16; dtype++) {
      for (int form = LEET_DECAY_NONE; form <= LEET_DECAY_LOG_GATES; form++) f(Case{&s, method, dtype, form});
    }
  };
  for (const Shape &s : kShapes) all(s);
  for (const Shape &s : kFlashShapes) {
    if (method == LEET_METHOD_FLASH) all(s);
  }
  const bool by_size =
      method == LEET_METHOD_RECURRENT || method == LEET_METHOD_LIGHTNING || method == LEET_METHOD_FLASH;
  for (const Shape &s : kSizes) {
    if (by_size) all(s);
  }
  for (int dtype = LEET_F32; dtype <= LEET_BF16; dtype++) {
    for (const Shape &s : kLongShapes) {
      for (int form = LEET_DECAY_NONE; form <= LEET_DECAY_LOG_GATES; form++) {
        if (dtype == LEET_F32 || form == LEET_DECAY_FACTOR) f(Case{&s, method, dtype, form});
      }
    }
    for (const Shape &s : kLongSizes) {
      if (by_size) f(Case{&s, method, dtype, LEET_DECAY_FACTOR});
    }
  }
}

leet_params params_of(const Case &x) {
  const Shape &s = *x.shape;
  leet_params p = shape_of(s.B, s.H, s.Hkv, s.N, s.dk, s.dv);
  p.S = s.S;
  p.method = x.method;
  p.dtype = x.dtype;
  p.decay_form = x.form;
  p.device = LEET_DEVICE_CUDA;
  if (s.extra == BNHD) p.layout = LEET_LAYOUT_BNHD;
  if (s.extra == STRIDED) { /* [B,N,H,d] with gaps after every axis; gates as [H,B,N] */
    const struct {
      int64_t *stride, heads, dim;
    } arrays[] = {{p.q_stride, s.H, s.dk + 3},
                  {p.k_stride, s.Hkv, s.dk},
                  {p.v_stride, s.Hkv, s.dv * 4},
                  {p.o_stride, s.H, s.dv + 1}};
    for (const auto &a : arrays) {
      a.stride[1] = a.dim;
      a.stride[2] = a.dim * a.heads + 5;
      a.stride[0] = a.stride[2] * s.N + 2;
    }
    p.gate_stride[0] = s.N;
    p.gate_stride[1] = s.N * s.B;
    p.gate_stride[2] = 1;
  }
  return p;
}

void name_test(const Case &x, const char *schedule) {
  static char name[200];
  const Shape &s = *x.shape;
  snprintf(name, sizeof name, "%s %s %s B=%d H=%d Hkv=%d N=%d dk=%d dv=%d S=%d extra=%d %s", kMethod[x.method],
           kDtype[x.dtype], kForm[x.form], (int)s.B, (int)s.H, (int)s.Hkv, (int)s.N, (int)s.dk, (int)s.dv, (int)s.S,
           (int)s.extra, schedule);
  current_test = name;
}

/* Decays that matter: 1, 0, tiny and ordinary ones. */
void edge_decays(Call *c) {
  float *decay = (float *)c->array[DECAY].data;
  const size_t count = c->array[DECAY].bytes / 4;
  for (size_t i = 0; i < count; i += 5) {
    const size_t kind = (i / 5 + (size_t)c->p.N) % 4;
    if (c->p.decay_form == LEET_DECAY_FACTOR) {
      decay[i] = kind == 0 ? 0.96875f : kind == 1 ? 1 : kind == 2 ? 0 : 1e-30f;
    } else {
      decay[i] = kind == 0 ? -0.01f : kind == 1 ? 0 : kind == 2 ? -INFINITY : -80;
    }
  }
}

/* A factor near 1 whose 64th power, the decay of a chunk, is as far from a float as one finds. */
float awkward_factor() {
  float worst = 1, factor = 0.99999f;
  double most = 0;
  for (int i = 0; i < 1000; i++) {
    factor = nextafterf(factor, 1);
    const double power = pow(factor, 64), off = fabs(power - (double)(float)power);
    if (off > most) {
      most = off;
      worst = factor;
    }
  }
  return worst;
}

void equal_terms(Call *c) {
  for (int i : {Q, K, V}) {
    for (size_t x = 0; x < c->array[i].bytes / element_bytes(&c->p); x++) to_element(&c->p, c->array[i].data, x, 0.7f);
  }
  for (size_t x = 0; x < c->array[STATE_IN].bytes / 4; x++) ((float *)c->array[STATE_IN].data)[x] = 0.7f;
  const float factor = awkward_factor();
  for (size_t x = 0; x < c->array[DECAY].bytes / 4; x++)
    ((float *)c->array[DECAY].data)[x] = c->p.decay_form == LEET_DECAY_FACTOR ? factor : (float)log(factor);
}

/* What the design allows, or less where the kernels are meant to do better. */
Tolerance allowed_for(const Case &x) {
  Tolerance t = tolerance_of(x.dtype);
  const bool tensor_cores = x.method == LEET_METHOD_FLASH && x.shape->N > 1;
  t.rounding = x.dtype == LEET_F16 ? 0x1p-11 : x.dtype == LEET_BF16 ? 0x1p-8 : 0; /* once, to the nearest */
  if (x.dtype == LEET_F16 && tensor_cores) return {8e-4, 6e-4, t.rounding, 8e-4, 4e-4};
  if (x.dtype == LEET_BF16 && tensor_cores) return {4e-3, 4e-3, t.rounding, 2e-5, 5e-6};
  if (x.dtype != LEET_F32) t.element = 2e-6; /* a float32 result */
  if (x.shape->extra == EQUAL) {
    t.element = 1e-6;
    if (x.dtype == LEET_F32) t.overall = 7e-7;
    t.state_element = t.state_overall = x.form == LEET_DECAY_NONE ? kLongState : kLongDecayed[x.method];
  }
  return t;
}

/* The inputs of a case and what they must give, for as many runs as wanted. */
struct Prepared {
  Case x;
  leet_params p;
  Call call; /* inputs as they are before a run */
  float *initial;
  Reference reference;
};

void prepare(const Case &x, Prepared *run) {
  run->x = x;
  run->p = params_of(x);
  call_new(&run->call, &run->p);
  if (x.shape->extra == EQUAL) equal_terms(&run->call);
  else edge_decays(&run->call);
  const Array &state = run->call.array[STATE_IN];
  run->initial = (float *)malloc(state.bytes + 1);
  if (run->initial == nullptr) exit(1);
  memcpy(run->initial, state.data, state.bytes);
  const Extra extra = x.shape->extra;
  Call *c = &run->call;
  if (extra == NO_STATES || extra == NO_INITIAL) c->argument[STATE_IN] = nullptr;
  if (extra == NO_STATES || extra == NO_FINAL) c->argument[STATE_OUT] = nullptr;
  if (extra == IN_PLACE) c->argument[STATE_OUT] = c->argument[STATE_IN];
  run->reference = reference_of(c, c->argument[STATE_IN] ? run->initial : nullptr);
}

void prepared_free(Prepared *run) {
  call_free(&run->call);
  free(run->initial);
  reference_free(&run->reference);
}

/* One run under the schedule that is set, with every check. */
void run_case(Prepared *run) {
  Call &c = run->call;
  const Shape &s = *run->x.shape;
  memcpy(c.array[STATE_IN].data, run->initial, c.array[STATE_IN].bytes);
  leet_workspace_release(); /* fresh device memory, so that reads of what nobody wrote are seen */
  call_clear_outputs(&c);
  call_remember(&c);
  const leet_status status = call_forward(&c);
  expect(status == LEET_OK, "status %d: %s", (int)status, c.p.message);
  if (status != LEET_OK) return;
  expect(c.p.method_used == run->x.method, "ran method %d", (int)c.p.method_used);
  const Tolerance allowed = allowed_for(run->x);
  Score o, state;
  judge_by(&c, &run->reference, &allowed, &o, &state);
  expect(o.element <= 1, "o: %g of the allowed error per element", o.element);
  expect(o.overall <= 1, "o: %g of the allowed error overall", o.overall);
  expect(state.element <= 1, "final_state: %g of the allowed error per element", state.element);
  expect(state.overall <= 1, "final_state: %g of the allowed error overall", state.overall);
  for (int i = 0; i < ARRAYS; i++) {
    const bool written = i == OUT || (i == STATE_OUT && s.extra != IN_PLACE && c.argument[STATE_OUT]) ||
                         (i == STATE_IN && s.extra == IN_PLACE);
    if (!written) expect(array_unchanged(&c.array[i]), "array %d changed", i);
    expect(array_guarded(&c.array[i]), "the guard of array %d changed", i);
  }
  if (s.extra == STRIDED) {
    const unsigned char *o = (const unsigned char *)c.array[OUT].data;
    int64_t stride[3];
    strides_of(&run->p, run->p.o_stride, run->p.H, run->p.dv, stride);
    const int64_t element = (int64_t)element_bytes(&run->p);
    expect(memcmp(o + run->p.dv * element, (const void *)"\xa5\xa5", 2) == 0, "a gap of o changed");
    expect(o[(stride[2] - 1) * element] == kGuard, "the gap after a token of o changed");
  }
}

}  // namespace

#endif
