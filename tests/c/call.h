/* One call of leet_forward with its arrays in guarded memory, and the float64 recurrence that judges it. */
#ifndef LEET_TESTS_CALL_H
#define LEET_TESTS_CALL_H

#include <math.h>

#include "../../cuda/include/leet.h"
#include "harness.h"

/* The array arguments of leet_forward, in its order. */
enum { Q, K, V, DECAY, CU, STATE_IN, OUT, STATE_OUT, ARRAYS };

typedef struct {
  leet_params p;
  leet_params *passed; /* what the call gets for p */
  Array array[ARRAYS];
  void *argument[ARRAYS]; /* what the call gets: array[i].data or NULL */
} Call;

/* Zeroed parameters with struct_size, device, scale and shape set. */
static inline leet_params shape_of(int64_t B, int64_t H, int64_t Hkv, int64_t N, int64_t dk, int64_t dv) {
  leet_params p;
  memset(&p, 0, sizeof p);
  p.struct_size = sizeof p;
  p.device = LEET_DEVICE_CPU;
  p.scale = 0.75;
  p.B = B;
  p.H = H;
  p.Hkv = Hkv;
  p.N = N;
  p.dk = dk;
  p.dv = dv;
  return p;
}

static inline size_t element_bytes(const leet_params *p) { return p->dtype == LEET_F32 ? 4 : 2; }

/* Strides along batch, head and time, dense ones worked out. */
static inline void strides_of(const leet_params *p, const int64_t given[3], int64_t heads, int64_t dim,
                              int64_t out[3]) {
  const int64_t bhnd[3] = {heads * p->N * dim, p->N * dim, dim}, bnhd[3] = {p->N * heads * dim, dim, heads * dim};
  const int dense = given[0] == 0 && given[1] == 0 && given[2] == 0;
  memcpy(out, !dense ? given : p->layout == LEET_LAYOUT_BHND ? bhnd : bnhd, 3 * sizeof out[0]);
}

/* Elements from the first to one past the last. */
static inline size_t reach_of(const leet_params *p, const int64_t given[3], int64_t heads, int64_t dim) {
  int64_t s[3];
  strides_of(p, given, heads, dim, s);
  if (p->B == 0 || p->N == 0) return 0;
  return (size_t)((p->B - 1) * s[0] + (heads - 1) * s[1] + (p->N - 1) * s[2] + dim);
}

static inline int64_t sequences_of(const leet_params *p) { return p->S > 0 ? p->S : p->B; }
static inline size_t state_elements_of(const leet_params *p) {
  return (size_t)(sequences_of(p) * p->H * p->dk * p->dv);
}

static inline double from_element(const leet_params *p, const void *array, int64_t i) {
  if (p->dtype == LEET_F32) return ((const float *)array)[i];
  const uint16_t half = ((const uint16_t *)array)[i];
  if (p->dtype == LEET_BF16) {
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
  }
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  const double magnitude = exponent == 31 ? (fraction ? NAN : INFINITY)
                           : exponent     ? ldexp(1024 + fraction, exponent - 25)
                                          : ldexp(fraction, -24);
  return half & 0x8000 ? -magnitude : magnitude;
}

/* Writes a value that the dtype holds, near `value`; |value| < 2. */
static inline void to_element(const leet_params *p, void *array, size_t i, float value) {
  if (p->dtype == LEET_F32) {
    ((float *)array)[i] = value;
    return;
  }
  uint32_t bits;
  memcpy(&bits, &value, 4);
  const uint32_t exponent = bits >> 23 & 255;
  const uint32_t f16 = exponent < 113 ? 0 : (bits >> 16 & 0x8000) | (exponent - 112) << 10 | (bits >> 13 & 1023);
  ((uint16_t *)array)[i] = (uint16_t)(p->dtype == LEET_F16 ? f16 : bits >> 16);
}

static inline void fill_elements(const leet_params *p, Array *a, uint64_t *seed) {
  for (size_t i = 0; i < a->bytes / element_bytes(p); i++) to_element(p, a->data, i, random_float(seed, -1, 1));
}

static inline void fill_floats(Array *a, uint64_t *seed, float low, float high) {
  for (size_t i = 0; i < a->bytes / 4; i++) ((float *)a->data)[i] = random_float(seed, low, high);
}

/* Arrays of exactly the lengths that `p` needs, lengths stated, inputs random, both states given, outputs all kGuard.
 */
static inline void call_new(Call *c, const leet_params *p) {
  memset(c, 0, sizeof *c);
  c->p = *p;
  c->passed = &c->p;
  uint64_t seed = 0x9e3779b97f4a7c15ull;
  const size_t element = element_bytes(p), states = state_elements_of(p);
  const int gates = p->decay_form == LEET_DECAY_LOG_GATES;
  c->p.q_len = reach_of(p, p->q_stride, p->H, p->dk);
  c->p.k_len = reach_of(p, p->k_stride, p->Hkv, p->dk);
  c->p.v_len = reach_of(p, p->v_stride, p->Hkv, p->dv);
  c->p.o_len = reach_of(p, p->o_stride, p->H, p->dv);
  c->p.decay_len = gates ? reach_of(p, p->gate_stride, p->H, 1) : (size_t)p->H;
  c->p.cu_seqlens_len = (uint64_t)p->S + 1;
  c->p.initial_state_len = c->p.final_state_len = states;
  array_new(&c->array[Q], c->p.q_len * element);
  array_new(&c->array[K], c->p.k_len * element);
  array_new(&c->array[V], c->p.v_len * element);
  array_new(&c->array[DECAY], c->p.decay_len * 4);
  array_new(&c->array[CU], c->p.cu_seqlens_len * 8);
  array_new(&c->array[STATE_IN], states * 4);
  array_new(&c->array[OUT], c->p.o_len * element);
  array_new(&c->array[STATE_OUT], states * 4);
  fill_elements(p, &c->array[Q], &seed);
  fill_elements(p, &c->array[K], &seed);
  fill_elements(p, &c->array[V], &seed);
  fill_floats(&c->array[STATE_IN], &seed, -1, 1);
  if (p->decay_form == LEET_DECAY_FACTOR) {
    fill_floats(&c->array[DECAY], &seed, 0.5f, 1);
  } else {
    fill_floats(&c->array[DECAY], &seed, -0.7f, 0);
  }
  for (int64_t s = 0; s <= p->S; s++) {
    ((int64_t *)c->array[CU].data)[s] = p->S > 0 ? p->N * s * s / (p->S * p->S) : 0;
  }
  for (int i = 0; i < ARRAYS; i++) c->argument[i] = c->array[i].data;
  if (p->decay_form == LEET_DECAY_NONE) c->argument[DECAY] = NULL;
  if (p->S == 0) c->argument[CU] = NULL;
}

static inline void call_free(Call *c) {
  for (int i = 0; i < ARRAYS; i++) array_free(&c->array[i]);
}

static inline void call_clear_outputs(Call *c) {
  memset(c->array[OUT].data, kGuard, c->array[OUT].bytes);
  memset(c->array[STATE_OUT].data, kGuard, c->array[STATE_OUT].bytes);
}

static inline void call_remember(Call *c) {
  for (int i = 0; i < ARRAYS; i++) array_remember(&c->array[i]);
}

/* No array changed since call_remember. */
static inline int call_unchanged(const Call *c) {
  for (int i = 0; i < ARRAYS; i++) {
    if (!array_unchanged(&c->array[i])) return 0;
  }
  return 1;
}

/* Both calls wrote the same bits, whatever their arrays are. */
static inline int same_outputs(const Call *a, const Call *b) {
  return memcmp(a->array[OUT].data, b->array[OUT].data, a->array[OUT].bytes) == 0 &&
         memcmp(a->array[STATE_OUT].data, b->array[STATE_OUT].data, a->array[STATE_OUT].bytes) == 0;
}

static inline leet_status call_forward(Call *c) {
  void **a = c->argument;
  return leet_forward(c->passed, a[Q], a[K], a[V], (const float *)a[DECAY], (const int64_t *)a[CU],
                      (const float *)a[STATE_IN], a[OUT], (float *)a[STATE_OUT]);
}

static inline leet_status call_start(Call *c, uint64_t *job) {
  void **a = c->argument;
  return leet_forward_start(c->passed, a[Q], a[K], a[V], (const float *)a[DECAY], (const int64_t *)a[CU],
                            (const float *)a[STATE_IN], a[OUT], (float *)a[STATE_OUT], job);
}

/* Starts a job and waits for its end; the status of whichever failed. */
static inline leet_status call_job(Call *c) {
  uint64_t job = 0;
  int32_t done = 0;
  leet_status result = LEET_INTERNAL, status = call_start(c, &job);
  if (status == LEET_OK) status = leet_job_poll(job, -1, &done, &result);
  return status != LEET_OK ? status : done ? result : LEET_INTERNAL;
}

static inline double decay_of(const Call *c, const int64_t gate[3], int64_t b, int64_t h, int64_t t) {
  const float *decay = (const float *)c->argument[DECAY];
  switch (c->p.decay_form) {
    case LEET_DECAY_FACTOR:
      return decay[h];
    case LEET_DECAY_LOG:
      return exp((double)decay[h]);
    case LEET_DECAY_LOG_GATES:
      return exp((double)decay[b * gate[0] + h * gate[1] + t * gate[2]]);
    default:
      return 1;
  }
}

/* Largest |out - ref| / bound of both outputs against the float64 recurrence, where the bound is the same sum of
 * absolute values times the tolerance of the dtype; NaN counts as infinite. Right is <= 1. `initial` is the state the
 * call started from (it may have run in place) or NULL. */
static inline double call_error(const Call *c, const float *initial) {
  const leet_params *p = &c->p;
  const double tolerance[] = {2e-6, 2e-3, 1.6e-2};
  int64_t q[3], k[3], v[3], o[3], gate[3];
  strides_of(p, p->q_stride, p->H, p->dk, q);
  strides_of(p, p->k_stride, p->Hkv, p->dk, k);
  strides_of(p, p->v_stride, p->Hkv, p->dv, v);
  strides_of(p, p->o_stride, p->H, p->dv, o);
  strides_of(p, p->gate_stride, p->H, 1, gate);
  const int64_t elements = p->dk * p->dv, *cu = (const int64_t *)c->argument[CU];
  double *state = (double *)malloc((size_t)elements * 16), *bound = state + elements, worst = 0;
  if (state == NULL) exit(1);
  for (int64_t i = 0; i < sequences_of(p) * p->H; i++) {
    const int64_t s = i / p->H, h = i % p->H, hkv = h / (p->H / p->Hkv), b = p->S > 0 ? 0 : s;
    const int64_t first = p->S > 0 ? cu[s] : 0, last = p->S > 0 ? cu[s + 1] : p->N;
    for (int64_t x = 0; x < elements; x++) {
      state[x] = initial ? initial[i * elements + x] : 0;
      bound[x] = fabs(state[x]);
    }
    for (int64_t t = first; t < last; t++) {
      const double a = decay_of(c, gate, b, h, t);
      for (int64_t n = 0; n < p->dv; n++) {
        double sum = 0, sum_bound = 0;
        const double value = from_element(p, c->argument[V], b * v[0] + hkv * v[1] + t * v[2] + n);
        for (int64_t r = 0; r < p->dk; r++) {
          const double key = from_element(p, c->argument[K], b * k[0] + hkv * k[1] + t * k[2] + r);
          const double query = from_element(p, c->argument[Q], b * q[0] + h * q[1] + t * q[2] + r);
          double *at = state + r * p->dv + n, *at_bound = bound + r * p->dv + n;
          *at = a * *at + key * value;
          *at_bound = a * *at_bound + fabs(key * value);
          sum += query * *at;
          sum_bound += fabs(query) * *at_bound;
        }
        const double out = from_element(p, c->argument[OUT], b * o[0] + h * o[1] + t * o[2] + n);
        const double error = fabs(out - p->scale * sum), allowed = tolerance[p->dtype] * fabs(p->scale) * sum_bound;
        if (!(error <= worst * allowed)) worst = allowed > 0 && error == error ? error / allowed : INFINITY;
      }
    }
    for (int64_t x = 0; x < elements && c->argument[STATE_OUT]; x++) {
      const double error = fabs(((const float *)c->argument[STATE_OUT])[i * elements + x] - state[x]);
      if (!(error <= worst * 2e-6 * bound[x]))
        worst = bound[x] > 0 && error == error ? error / (2e-6 * bound[x]) : INFINITY;
    }
  }
  free(state);
  return worst;
}

/* call_error of a call that did not run in place. */
static inline double call_error_of(const Call *c) { return call_error(c, (const float *)c->argument[STATE_IN]); }

#endif
