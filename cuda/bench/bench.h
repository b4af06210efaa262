/* What the programs of this folder share: time, order statistics, options, test data. */
#ifndef LEET_BENCH_H
#define LEET_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../include/leet.h"

static inline double seconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Sorts. */
static inline double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, by_value);
  return values[count / 2];
}

static inline long option(int argc, char **argv, const char *name, long value) {
  for (int i = 1; i + 1 < argc; i++) {
    if (strcmp(argv[i], name) == 0) value = atol(argv[i + 1]);
  }
  return value;
}

/* `count` numbers between -1 and 1. Ends the program when there is no memory. */
static inline float *random_floats(size_t count) {
  float *values = (float *)malloc(count * sizeof(float));
  if (values == nullptr) {
    fprintf(stderr, "no memory for %zu floats\n", count);
    exit(1);
  }
  uint32_t state = 1;
  for (size_t i = 0; i < count; i++) {
    state = state * 1664525u + 1013904223u;
    values[i] = (float)((double)state / 2147483648.0 - 1.0);
  }
  return values;
}

/* leet_forward, or the end of the program. */
static inline double time_forward(leet_params *p, const float *q, const float *k, const float *v, const float *decay,
                                  float *states, float *o) {
  const double start = seconds();
  const leet_status status = leet_forward(p, q, k, v, decay, nullptr, states, o, states);
  const double time = seconds() - start;
  if (status != LEET_OK) {
    fprintf(stderr, "leet_forward: %s\n", p->message);
    exit(1);
  }
  return time;
}

static inline void machine_peak(int threads, double *flops, double *bytes) {
  if (leet_machine_peak(threads, flops, bytes) != LEET_OK) {
    fprintf(stderr, "leet_machine_peak failed\n");
    exit(1);
  }
}

#endif
