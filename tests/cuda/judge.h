/* Compares the outputs of a call with the float64 recurrence by the tolerances of the design. */
#ifndef LEET_TESTS_CUDA_JUDGE_H
#define LEET_TESTS_CUDA_JUDGE_H

#include "../c/call.h"

/* What a call must give, in float64, and how much an error may be: the same sums of absolute values. */
typedef struct {
  double *o, *o_bound;         /* by offset in the array of o; where no element is, nothing */
  double *state, *state_bound; /* [sequences][H][dk][dv] */
} Reference;

/* Largest error per element over its allowance, and error over all elements as a share of their norm over its
 * allowance. Right is <= 1; NaN counts as infinite. */
typedef struct {
  double element, overall;
} Score;

typedef struct {
  double worst, error2, norm2;
} Sum;

static inline void sum_add(Sum *s, double out, double ref, double allowed) {
  const double error = fabs(out - ref);
  if (!(error <= s->worst * allowed)) s->worst = allowed > 0 && error == error ? error / allowed : INFINITY;
  s->error2 += error * error;
  s->norm2 += ref * ref;
}

static inline double sum_share(const Sum *s, double allowed) {
  const double share = sqrt(s->error2) / allowed;
  return s->norm2 > 0 ? share / sqrt(s->norm2) : share > 0 ? INFINITY : 0;
}

static inline double *doubles(size_t count) {
  double *p = (double *)calloc(count + 1, sizeof *p);
  if (p == NULL) exit(1);
  return p;
}

static inline void elements_of(const leet_params *p, const void *array, int64_t at, int64_t count, double *out) {
  for (int64_t i = 0; i < count; i++) out[i] = from_element(p, array, at + i);
}

/* The recurrence on the inputs of a call, one head after the other. `initial` is the state that the call starts from.
 */
static inline Reference reference_of(const Call *c, const float *initial) {
  const leet_params *p = &c->p;
  int64_t q[3], k[3], v[3], out[3], gate[3];
  strides_of(p, p->q_stride, p->H, p->dk, q);
  strides_of(p, p->k_stride, p->Hkv, p->dk, k);
  strides_of(p, p->v_stride, p->Hkv, p->dv, v);
  strides_of(p, p->o_stride, p->H, p->dv, out);
  strides_of(p, p->gate_stride, p->H, 1, gate);
  const int64_t elements = p->dk * p->dv, *cu = (const int64_t *)c->argument[CU];
  const size_t outputs = (size_t)p->o_len;
  Reference r = {doubles(outputs), doubles(outputs), doubles(state_elements_of(p)), doubles(state_elements_of(p))};
  double *query = doubles((size_t)p->dk), *key = doubles((size_t)p->dk), *value = doubles((size_t)p->dv);
  for (int64_t i = 0; i < sequences_of(p) * p->H; i++) {
    const int64_t s = i / p->H, h = i % p->H, hkv = h / (p->H / p->Hkv), b = p->S > 0 ? 0 : s;
    const int64_t first = p->S > 0 ? cu[s] : 0, last = p->S > 0 ? cu[s + 1] : p->N;
    double *state = r.state + i * elements, *bound = r.state_bound + i * elements;
    for (int64_t x = 0; x < elements && initial; x++) {
      state[x] = initial[i * elements + x];
      bound[x] = fabs(state[x]);
    }
    for (int64_t t = first; t < last; t++) {
      const double a = decay_of(c, gate, b, h, t);
      double *o = r.o + b * out[0] + h * out[1] + t * out[2], *o_bound = r.o_bound + (o - r.o);
      elements_of(p, c->argument[Q], b * q[0] + h * q[1] + t * q[2], p->dk, query);
      elements_of(p, c->argument[K], b * k[0] + hkv * k[1] + t * k[2], p->dk, key);
      elements_of(p, c->argument[V], b * v[0] + hkv * v[1] + t * v[2], p->dv, value);
      for (int64_t x = 0; x < p->dk; x++) {
        double *row = state + x * p->dv, *row_bound = bound + x * p->dv;
        const double one_key = key[x], one_query = p->scale * query[x];
        for (int64_t n = 0; n < p->dv; n++) {
          const double add = one_key * value[n];
          row[n] = a * row[n] + add;
          row_bound[n] = a * row_bound[n] + fabs(add);
          o[n] += one_query * row[n];
          o_bound[n] += fabs(one_query) * row_bound[n];
        }
      }
    }
  }
  free(query);
  free(key);
  free(value);
  return r;
}

static inline void reference_free(Reference *r) {
  double *all[] = {r->o, r->o_bound, r->state, r->state_bound};
  for (int i = 0; i < 4; i++) free(all[i]);
}

/* How large errors may be, as shares of the bound per element and of the norm overall. */
typedef struct {
  double element, overall;             /* of o */
  double rounding;                     /* of o, as a share of the value itself */
  double state_element, state_overall; /* of final_state */
} Tolerance;

/* What the design allows for a storage type, all of it computed in float32. */
static inline Tolerance tolerance_of(int dtype) {
  const Tolerance t[] = {{2e-6, 2e-6, 0, 2e-6, 2e-6}, {2e-3, 1e-3, 0, 2e-6, 2e-6}, {1.6e-2, 6e-3, 0, 2e-6, 2e-6}};
  return t[dtype];
}

static inline void judge_by(const Call *c, const Reference *r, const Tolerance *allowed, Score *o, Score *state_score) {
  const leet_params *p = &c->p;
  const double smallest[] = {0x1p-149, 0x1p-24, 0x1p-133}; /* a result may round to a multiple of it */
  int64_t out[3];
  strides_of(p, p->o_stride, p->H, p->dv, out);
  Sum outputs = {0, 0, 0}, states = {0, 0, 0};
  for (int64_t row = 0; row < p->B * p->H * p->N; row++) {
    const int64_t at = row / p->N / p->H * out[0] + row / p->N % p->H * out[1] + row % p->N * out[2];
    for (int64_t n = at; n < at + p->dv; n++) {
      sum_add(&outputs, from_element(p, c->argument[OUT], n), r->o[n],
              allowed->element * r->o_bound[n] + allowed->rounding * fabs(r->o[n]) + smallest[p->dtype] / 2);
    }
  }
  for (size_t x = 0; x < state_elements_of(p) && c->argument[STATE_OUT]; x++) {
    sum_add(&states, ((const float *)c->argument[STATE_OUT])[x], r->state[x],
            allowed->state_element * r->state_bound[x]);
  }
  const double longer = p->N > 4096 ? sqrt((double)p->N / 4096) : 1;
  o->element = outputs.worst;
  o->overall = sum_share(&outputs, allowed->overall * (p->dtype == LEET_F32 ? longer : 1));
  state_score->element = states.worst;
  state_score->overall = sum_share(&states, allowed->state_overall * longer);
}

/* state_tolerance: per element and overall; {2e-6, 2e-6} where the state is computed in float32. */
static inline void judge(const Call *c, const float *initial, const double state_tolerance[2], Score *o,
                         Score *state_score) {
  Tolerance allowed = tolerance_of(c->p.dtype);
  allowed.state_element = state_tolerance[0];
  allowed.state_overall = state_tolerance[1];
  Reference r = reference_of(c, initial);
  judge_by(c, &r, &allowed, o, state_score);
  reference_free(&r);
}

#endif
