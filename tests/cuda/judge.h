/* Compares the outputs of a call with the float64 recurrence by the tolerances of the design. */
#ifndef LEET_TESTS_CUDA_JUDGE_H
#define LEET_TESTS_CUDA_JUDGE_H

#include "../c/call.h"

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

/* state_tolerance: per element and overall; {2e-6, 2e-6} where the state is computed in float32. */
static inline void judge(const Call *c, const float *initial, const double state_tolerance[2], Score *o,
                         Score *state_score) {
  const leet_params *p = &c->p;
  const double tolerance[] = {2e-6, 2e-3, 1.6e-2}, overall[] = {2e-6, 1e-3, 6e-3};
  const double smallest[] = {0x1p-149, 0x1p-24, 0x1p-133}; /* a result may round to a multiple of it */
  int64_t q[3], k[3], v[3], out[3], gate[3];
  strides_of(p, p->q_stride, p->H, p->dk, q);
  strides_of(p, p->k_stride, p->Hkv, p->dk, k);
  strides_of(p, p->v_stride, p->Hkv, p->dv, v);
  strides_of(p, p->o_stride, p->H, p->dv, out);
  strides_of(p, p->gate_stride, p->H, 1, gate);
  const int64_t elements = p->dk * p->dv, *cu = (const int64_t *)c->argument[CU];
  double *state = (double *)malloc((size_t)elements * 16), *bound = state + elements;
  if (state == NULL) exit(1);
  Sum outputs = {0, 0, 0}, states = {0, 0, 0};
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
        sum_add(&outputs, from_element(p, c->argument[OUT], b * out[0] + h * out[1] + t * out[2] + n), p->scale * sum,
                tolerance[p->dtype] * fabs(p->scale) * sum_bound + smallest[p->dtype] / 2);
      }
    }
    for (int64_t x = 0; x < elements && c->argument[STATE_OUT]; x++) {
      sum_add(&states, ((const float *)c->argument[STATE_OUT])[i * elements + x], state[x],
              state_tolerance[0] * bound[x]);
    }
  }
  free(state);
  const double longer = p->N > 4096 ? sqrt((double)p->N / 4096) : 1;
  o->element = outputs.worst;
  o->overall = sum_share(&outputs, overall[p->dtype] * (p->dtype == LEET_F32 ? longer : 1));
  state_score->element = states.worst;
  state_score->overall = sum_share(&states, state_tolerance[1] * longer);
}

#endif
