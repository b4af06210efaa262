/* One attention problem in guarded, poisoned memory, its float64 recurrence, and the judgement of a method's outputs.
 */
#ifndef LEET_TESTS_KERNELS_CASE_H
#define LEET_TESTS_KERNELS_CASE_H

#include <vector>

#include "call.h"

enum Layout { DENSE_BHND, DENSE_BNHD, PADDED_BHND, PADDED_BNHD, kLayouts };
enum Values { RANDOM, CONSTANT, IMPULSE };

/* What a case is made of; the defaults are a plain one. */
struct Spec {
  int64_t B = 1, H = 2, Hkv = 2, N = 50, dk = 16, dv = 16;
  int64_t sequences = 0; /* > 0: ragged, B must be 1 */
  int dtype = LEET_F32, form = LEET_DECAY_FACTOR, layout = DENSE_BHND;
  bool initial = true, final = true, in_place = false;
  int values = RANDOM;
  float decay = -1;    /* one factor for all heads; -1: a mixture with 0, 1 and factors that underflow */
  float log_decay = 0; /* < 0: instead of decay where the form is logarithms */
  float constant = 0.3f;
  uint64_t seed = 1;
};

/* Poison: bytes that make NaN in every dtype, for gaps of inputs and for outputs not yet written. */
const int kPoison = 0xff;

static inline double tolerance_of(int dtype) { return dtype == LEET_F32 ? 2e-6 : dtype == LEET_F16 ? 2e-3 : 1.6e-2; }

/* Below this an error is underflow of the storage type, not of the method. */
static inline double underflow_of(int dtype) { return dtype == LEET_F16 ? 0x1p-24 : 1e-36; }

/* Values and the same sums with absolute values, which bound what rounding may do. */
struct Exact {
  std::vector<double> o, o_bound, state, state_bound; /* [B,H,N,dv], [sequences,H,dk,dv] */
};

struct Case {
  Spec spec;
  leet_params p;
  int64_t q[3], k[3], v[3], o[3], gate[3]; /* strides, dense ones worked out */
  Array q_data, k_data, v_data, decay, cu, initial, out, final;
  Exact exact;
};

/* Outputs of one run: all bytes of the arrays, gaps included. */
struct Outputs {
  std::vector<unsigned char> o, state;
};

static inline void padded_strides(const Spec &s, int64_t heads, int64_t dim, int64_t out[3]) {
  if (s.layout == PADDED_BHND) {
    out[2] = dim + 3;
    out[1] = (s.N > 0 ? s.N : 1) * out[2] + 5;
    out[0] = heads * out[1] + 7;
  } else {
    out[1] = dim + 3;
    out[2] = heads * out[1] + 5;
    out[0] = (s.N > 0 ? s.N : 1) * out[2] + 7;
  }
}

template <class F>
static inline void each_element(const int64_t stride[3], int64_t B, int64_t heads, int64_t N, int64_t dim, const F &f) {
  for (int64_t b = 0; b < B; b++) {
    for (int64_t h = 0; h < heads; h++) {
      for (int64_t t = 0; t < N; t++) {
        for (int64_t x = 0; x < dim; x++) f(b * stride[0] + h * stride[1] + t * stride[2] + x, t);
      }
    }
  }
}

static inline void poisoned_array(Array *a, size_t bytes) {
  array_new(a, bytes);
  memset(a->data, kPoison, bytes);
}

/* A logarithm near that of `factor` whose decay is far from its nearest float, and so are its powers over a chunk:
 * where a kernel applies a rounded factor again and again it shows. */
static inline float badly_rounded(float factor) {
  const int powers[] = {1, 32, 48};
  float worst_log = 0;
  double most = 0;
  for (int i = 0; i < 10000; i++) {
    const float log = logf(factor) * (1 + (float)i * 1e-5f);
    double least = 1;
    for (int power : powers) {
      const double exact = exp((double)log * power), off = fabs((double)(float)exact / exact - 1);
      if (off < least) least = off;
    }
    if (least > most) most = least, worst_log = log;
  }
  return worst_log;
}

static inline float head_factor(const Spec &s, int64_t h) {
  const float mixture[] = {0.97f, 1.0f, 0.5f, 0.0f, 0.999f, 1e-30f};
  return s.decay >= 0 ? s.decay : mixture[h % 6];
}

static inline void fill_decay(Case *c, uint64_t *seed) {
  const Spec &s = c->spec;
  float *decay = (float *)c->decay.data;
  if (s.form == LEET_DECAY_FACTOR || s.form == LEET_DECAY_LOG) {
    for (int64_t h = 0; h < s.H; h++) {
      const float a = head_factor(s, h);
      decay[h] = s.form == LEET_DECAY_FACTOR ? a : s.log_decay < 0 ? s.log_decay : logf(a);
    }
  } else if (s.form == LEET_DECAY_LOG_GATES) {
    each_element(c->gate, s.B, s.H, s.N, 1, [&](int64_t at, int64_t) {
      const int kind = (int)(random_bits(seed) >> 58); /* 0 .. 63 */
      if (s.decay >= 0) {
        decay[at] = logf(s.decay) * random_float(seed, 0, 2);
      } else {
        decay[at] = kind == 0 ? -INFINITY : kind == 1 ? -1e4f : kind < 8 ? 0.0f : -random_float(seed, 0, 0.2f);
      }
    });
  }
}

static inline void fill_values(const Case &c, Array *a, const int64_t stride[3], int64_t heads, int64_t dim, bool query,
                               uint64_t *seed) {
  const Spec &s = c.spec;
  each_element(stride, s.B, heads, s.N, dim, [&](int64_t at, int64_t t) {
    float value = random_float(seed, -1, 1);
    if (s.values == CONSTANT) value = s.constant;
    if (s.values == IMPULSE) value = query || t % 997 == 1 ? 0.5f + value / 4 : 0.0f;
    to_element(&c.p, a->data, (size_t)at, value);
  });
}

static inline void case_new(Case *c, const Spec &s) {
  c->spec = s;
  c->p = shape_of(s.B, s.H, s.Hkv, s.N, s.dk, s.dv);
  c->p.dtype = s.dtype;
  c->p.decay_form = s.form;
  c->p.S = s.sequences;
  c->p.scale = s.seed % 2 ? 0.75 : -1.25;
  c->p.layout = s.layout == DENSE_BNHD ? LEET_LAYOUT_BNHD : LEET_LAYOUT_BHND;
  if (s.layout == PADDED_BHND || s.layout == PADDED_BNHD) {
    padded_strides(s, s.H, s.dk, c->p.q_stride);
    padded_strides(s, s.Hkv, s.dk, c->p.k_stride);
    padded_strides(s, s.Hkv, s.dv, c->p.v_stride);
    padded_strides(s, s.H, s.dv, c->p.o_stride);
    padded_strides(s, s.H, 1, c->p.gate_stride);
  }
  strides_of(&c->p, c->p.q_stride, s.H, s.dk, c->q);
  strides_of(&c->p, c->p.k_stride, s.Hkv, s.dk, c->k);
  strides_of(&c->p, c->p.v_stride, s.Hkv, s.dv, c->v);
  strides_of(&c->p, c->p.o_stride, s.H, s.dv, c->o);
  strides_of(&c->p, c->p.gate_stride, s.H, 1, c->gate);
  const size_t element = element_bytes(&c->p), states = state_elements_of(&c->p) * 4;
  const bool gates = s.form == LEET_DECAY_LOG_GATES;
  poisoned_array(&c->q_data, reach_of(&c->p, c->q, s.H, s.dk) * element);
  poisoned_array(&c->k_data, reach_of(&c->p, c->k, s.Hkv, s.dk) * element);
  poisoned_array(&c->v_data, reach_of(&c->p, c->v, s.Hkv, s.dv) * element);
  poisoned_array(&c->out, reach_of(&c->p, c->o, s.H, s.dv) * element);
  poisoned_array(&c->decay, (gates ? reach_of(&c->p, c->gate, s.H, 1) : (size_t)s.H) * 4);
  poisoned_array(&c->cu, (size_t)(s.sequences + 1) * 8);
  poisoned_array(&c->initial, states);
  poisoned_array(&c->final, states);
  uint64_t seed = s.seed * 0x9e3779b97f4a7c15ull + 1;
  fill_values(*c, &c->q_data, c->q, s.H, s.dk, true, &seed);
  fill_values(*c, &c->k_data, c->k, s.Hkv, s.dk, false, &seed);
  fill_values(*c, &c->v_data, c->v, s.Hkv, s.dv, false, &seed);
  fill_decay(c, &seed);
  fill_floats(&c->initial, &seed, -1, 1);
  int64_t *cu = (int64_t *)c->cu.data;
  for (int64_t i = 0; i <= s.sequences; i++) { /* lengths grow, and with more than three sequences one is empty */
    cu[i] = s.sequences ? s.N * i * i / (s.sequences * s.sequences) : 0;
    if (s.sequences > 3 && i == 2) cu[i] = cu[1];
  }
}

static inline void case_free(Case *c) {
  Array *arrays[] = {&c->q_data, &c->k_data, &c->v_data, &c->decay, &c->cu, &c->initial, &c->out, &c->final};
  for (Array *a : arrays) array_free(a);
}

/* Token t of one head as doubles. */
static inline void read_row(const Case &c, const Array &a, const int64_t stride[3], int64_t b, int64_t h, int64_t t,
                            int64_t dim, double *row) {
  for (int64_t x = 0; x < dim; x++) {
    row[x] = from_element(&c.p, a.data, b * stride[0] + h * stride[1] + t * stride[2] + x);
  }
}

static inline double factor_at(const Case &c, int64_t b, int64_t h, int64_t t) {
  const float *decay = (const float *)c.decay.data;
  switch (c.spec.form) {
    case LEET_DECAY_FACTOR:
      return decay[h];
    case LEET_DECAY_LOG:
      return exp((double)decay[h]);
    case LEET_DECAY_LOG_GATES:
      return exp((double)decay[b * c.gate[0] + h * c.gate[1] + t * c.gate[2]]);
    default:
      return 1;
  }
}

/* The recurrence as leet.h states it, in float64. */
static inline void case_solve(Case *c) {
  const Spec &s = c->spec;
  Exact &e = c->exact;
  const int64_t elements = s.dk * s.dv, count = sequences_of(&c->p), *cu = (const int64_t *)c->cu.data;
  e.o.assign((size_t)(s.B * s.H * s.N * s.dv), 0);
  e.o_bound = e.o;
  e.state.assign((size_t)(count * s.H * elements), 0);
  e.state_bound = e.state;
  std::vector<double> query((size_t)s.dk), key((size_t)s.dk), value((size_t)s.dv);
  for (int64_t i = 0; i < count * s.H; i++) {
    const int64_t sequence = i / s.H, h = i % s.H, hkv = h / (s.H / s.Hkv), b = s.sequences ? 0 : sequence;
    const int64_t first = s.sequences ? cu[sequence] : 0, last = s.sequences ? cu[sequence + 1] : s.N;
    double *state = e.state.data() + i * elements, *bound = e.state_bound.data() + i * elements;
    for (int64_t x = 0; s.initial && x < elements; x++) {
      state[x] = ((const float *)c->initial.data)[i * elements + x];
      bound[x] = fabs(state[x]);
    }
    for (int64_t t = first; t < last; t++) {
      const double a = factor_at(*c, b, h, t), scale = c->p.scale;
      double *o = e.o.data() + ((b * s.H + h) * s.N + t) * s.dv;
      double *o_bound = e.o_bound.data() + ((b * s.H + h) * s.N + t) * s.dv;
      read_row(*c, c->q_data, c->q, b, h, t, s.dk, query.data());
      read_row(*c, c->k_data, c->k, b, hkv, t, s.dk, key.data());
      read_row(*c, c->v_data, c->v, b, hkv, t, s.dv, value.data());
      for (int64_t r = 0; r < s.dk; r++) {
        const double weight = scale * query[(size_t)r], k = key[(size_t)r];
        for (int64_t n = 0; n < s.dv; n++) {
          const double added = k * value[(size_t)n];
          double &at = state[r * s.dv + n], &at_bound = bound[r * s.dv + n];
          at = a * at + added;
          at_bound = a * at_bound + fabs(added);
          o[n] += weight * at;
          o_bound[n] += fabs(weight) * at_bound;
        }
      }
    }
  }
}

/* Runs a method once and takes its outputs. The arrays start out poisoned. */
static inline leet_status case_run(Case *c, int method, int threads, Outputs *outputs) {
  const Spec &s = c->spec;
  memset(c->out.data, kPoison, c->out.bytes);
  memset(c->final.data, kPoison, c->final.bytes);
  if (s.in_place) memcpy(c->final.data, c->initial.data, c->final.bytes);
  c->p.method = method;
  c->p.threads = threads;
  const void *initial = s.in_place ? c->final.data : c->initial.data;
  const leet_status status =
      leet_forward(&c->p, c->q_data.data, c->k_data.data, c->v_data.data,
                   s.form == LEET_DECAY_NONE ? nullptr : (const float *)c->decay.data,
                   s.sequences ? (const int64_t *)c->cu.data : nullptr, s.initial ? (const float *)initial : nullptr,
                   c->out.data, s.final ? (float *)c->final.data : nullptr);
  const unsigned char *o = (const unsigned char *)c->out.data, *state = (const unsigned char *)c->final.data;
  outputs->o.assign(o, o + c->out.bytes);
  outputs->state.assign(state, state + c->final.bytes);
  return status;
}

/* How far outputs are off, in units of what is allowed, and what else may be wrong with them. */
struct Verdict {
  double o = 0, state = 0; /* right is <= 1 */
  int64_t stray = 0;       /* bytes written that are not of an output */
  int64_t infinite = 0;    /* elements whose exact value is not finite and that came out finite */
};

static inline void judge_element(double got, double exact, double bound, double tolerance, double floor, double *worst,
                                 int64_t *infinite) {
  if (!std::isfinite(exact)) {
    *infinite += std::isfinite(got);
    return;
  }
  const double error = fabs(got - exact), allowed = tolerance * bound + floor;
  if (!(error <= *worst * allowed)) *worst = error == error ? error / allowed : INFINITY;
}

static inline Verdict case_judge(const Case &c, const Outputs &outputs) {
  const Spec &s = c.spec;
  Verdict verdict;
  std::vector<char> owned(outputs.o.size(), 0);
  const size_t element = element_bytes(&c.p);
  size_t dense = 0;
  each_element(c.o, s.B, s.H, s.N, s.dv, [&](int64_t at, int64_t) {
    memset(owned.data() + (size_t)at * element, 1, element);
    const double exact = c.exact.o[dense], bound = c.exact.o_bound[dense];
    dense++;
    judge_element(from_element(&c.p, outputs.o.data(), at), exact, bound, tolerance_of(s.dtype), underflow_of(s.dtype),
                  &verdict.o, &verdict.infinite);
  });
  for (size_t i = 0; i < owned.size(); i++) verdict.stray += !owned[i] && outputs.o[i] != kPoison;
  for (size_t i = 0; i < c.exact.state.size() && s.final; i++) {
    judge_element(((const float *)outputs.state.data())[i], c.exact.state[i], c.exact.state_bound[i], 2e-6, 1e-36,
                  &verdict.state, &verdict.infinite);
  }
  for (size_t i = 0; i < outputs.state.size() && !s.final; i++) verdict.stray += outputs.state[i] != kPoison;
  verdict.stray += !array_guarded(&c.out) + !array_guarded(&c.final);
  return verdict;
}

#endif
