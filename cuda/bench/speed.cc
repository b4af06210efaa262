/* How near each CPU method comes to what the processor can do: time over the time that 4 dk dv N H operations take at
 * the fused multiply-add peak measured in the same run, medians of interleaved repetitions.
 *
 *   speed [--H 32] [--N 2048] [--d 128] [--threads 2] [--repeats 9] [--markdown] */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../include/leet.h"

namespace {

double seconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Twelve independent chains of multiply-adds: more than any processor's latency times width needs, few enough for
 * sixteen registers. `turns` times 12 * lanes * 2 operations. */
#define FMA_CHAINS(name, bytes, features)                                                              \
  features void name(long turns) {                                                                     \
    typedef float v __attribute__((vector_size(bytes)));                                               \
    v x[12], a = v{} + 0.9999999f, b = v{} + 1e-9f;                                                    \
    _Pragma("GCC unroll 12") for (int i = 0; i < 12; i++) x[i] = v{} + (float)i;                       \
    for (long n = 0; n < turns; n++) {                                                                 \
      _Pragma("GCC unroll 12") for (int i = 0; i < 12; i++) x[i] = x[i] * a + b;                       \
      _Pragma("GCC unroll 12") for (int i = 0; i < 12; i++) __asm__ volatile("" : "+" REGISTER(x[i])); \
    }                                                                                                  \
  }
#if defined(__x86_64__)
#define REGISTER(x) "v"(x)
FMA_CHAINS(chains_avx512, 64, __attribute__((target("avx512f"), optimize("O3"), noinline)))
#undef REGISTER
#define REGISTER(x) "x"(x)
FMA_CHAINS(chains_avx2, 32, __attribute__((target("avx2,fma"), optimize("O3"), noinline)))
FMA_CHAINS(chains_scalar, 16, __attribute__((optimize("O3"), noinline)))
#else
#define REGISTER(x) "w"(x)
FMA_CHAINS(chains_scalar, 16, __attribute__((optimize("O3"), noinline)))
#endif

struct Peak {
  void (*chains)(long);
  int lanes;
};

Peak peak_of(const char *isa) {
#if defined(__x86_64__)
  if (strcmp(isa, "avx512") == 0) return {chains_avx512, 16};
  if (strcmp(isa, "avx2") == 0) return {chains_avx2, 8};
#endif
  (void)isa;
  return {chains_scalar, 4};
}

const long kTurns = 1000000;
Peak peak;

void *burn(void *) {
  peak.chains(kTurns);
  return nullptr;
}

/* Operations per second of `threads` threads together. */
double measure_peak(int threads) {
  pthread_t others[64];
  const double start = seconds();
  for (int i = 1; i < threads; i++) pthread_create(&others[i], nullptr, burn, nullptr);
  burn(nullptr);
  for (int i = 1; i < threads; i++) pthread_join(others[i], nullptr);
  return threads * 24.0 * peak.lanes * (double)kTurns / (seconds() - start);
}

int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, by_value);
  return values[count / 2];
}

long option(int argc, char **argv, const char *name, long value) {
  for (int i = 1; i + 1 < argc; i++) {
    if (strcmp(argv[i], name) == 0) value = atol(argv[i + 1]);
  }
  return value;
}

float *random_floats(size_t count) {
  float *values = (float *)malloc(count * sizeof(float));
  uint32_t state = 1;
  for (size_t i = 0; values && i < count; i++) {
    state = state * 1664525u + 1013904223u;
    values[i] = (float)((double)state / 2147483648.0 - 1.0);
  }
  return values;
}

}  // namespace

int main(int argc, char **argv) {
  const long H = option(argc, argv, "--H", 32), N = option(argc, argv, "--N", 2048), d = option(argc, argv, "--d", 128);
  const int threads = (int)option(argc, argv, "--threads", 2), repeats = (int)option(argc, argv, "--repeats", 9);
  const int kMost = 64;
  if (H < 1 || N < 1 || d < 1 || threads < 1 || threads > 64 || repeats < 1 || repeats > kMost) {
    fprintf(stderr, "speed: H, N, d, threads (to 64) and repeats (to 64) must be positive\n");
    return 2;
  }
  leet_device_info cpu = {};
  cpu.struct_size = sizeof cpu;
  if (leet_device_get(0, &cpu) != LEET_OK) return 1;
  peak = peak_of(cpu.isa);

  const size_t elements = (size_t)(H * N * d);
  float *q = random_floats(elements), *k = random_floats(elements), *v = random_floats(elements);
  float *o = random_floats(elements), *decay = random_floats((size_t)H);
  if (!q || !k || !v || !o || !decay) {
    fprintf(stderr, "speed: no memory for arrays of %zu elements\n", elements);
    return 1;
  }
  for (long h = 0; h < H; h++) decay[h] = 1.0f - exp2f(-5.0f - (float)(h % 8));

  static double times[8][kMost], peaks[kMost];
  leet_params p = {};
  p.struct_size = sizeof p;
  p.decay_form = LEET_DECAY_FACTOR;
  p.threads = threads;
  p.scale = 1;
  p.B = 1;
  p.H = p.Hkv = H;
  p.N = N;
  p.dk = p.dv = d;
  for (int r = 0; r < repeats; r++) {
    peaks[r] = measure_peak(threads);
    for (int m = LEET_METHOD_VANILLA; m <= LEET_METHOD_FLASH; m++) {
      p.method = m;
      const double start = seconds();
      const leet_status status = leet_forward(&p, q, k, v, decay, nullptr, nullptr, o, nullptr);
      times[m][r] = seconds() - start;
      if (status != LEET_OK) {
        fprintf(stderr, "speed: method %d: %s\n", m, p.message);
        return 1;
      }
    }
  }
  const double rate = median(peaks, repeats), bound = 4.0 * (double)(d * d) * (double)(N * H) / rate;
  printf("%s, %s, %d threads, f32, B=1 H=%ld N=%ld dk=dv=%ld, decay [H], median of %d\n", cpu.name, cpu.isa, threads, H,
         N, d, repeats);
  printf("FMA peak measured in this run: %.0f GFLOP/s; bound 4 dk dv N H: %.2f ms\n\n", rate * 1e-9, bound * 1e3);
  printf("| method | ms | time / bound | recurrent / method |\n| --- | ---: | ---: | ---: |\n");
  for (int m = LEET_METHOD_VANILLA; m <= LEET_METHOD_FLASH; m++) median(times[m], repeats);
  const double recurrent = times[LEET_METHOD_RECURRENT][repeats / 2];
  for (int i = 0; i < LEET_METHOD_FLASH; i++) {
    leet_method_info info = {};
    info.struct_size = sizeof info;
    leet_method_get(i, &info);
    const double time = times[info.method][repeats / 2];
    printf("| %s | %.2f | %.2f | %.2f |\n", info.name, time * 1e3, time / bound, recurrent / time);
  }
  return 0;
}
