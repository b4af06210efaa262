/* How near the CPU comes to what it can do. Everything is timed in rounds, so that drift hits all alike, and given as
 * medians over them:
 *   - each method: time over the time that 4 dk dv N H operations take at the multiply-add peak of the same round
 *   - flash for one head: one thread against all
 *   - the decode step, N = 1 with states in place: bytes per second against updating an array in place
 *
 *   speed [--H 32] [--N 2048] [--d 128] [--threads 2] [--repeats 9] */
#include <math.h>

#include "bench.h"

namespace {

const int kMost = 64;

leet_params shape(long H, long N, long d, int threads, int method) {
  leet_params p = {};
  p.struct_size = sizeof p;
  p.device = LEET_DEVICE_CPU;
  p.decay_form = LEET_DECAY_FACTOR;
  p.method = method;
  p.threads = threads;
  p.scale = 1;
  p.B = 1;
  p.H = p.Hkv = H;
  p.N = N;
  p.dk = p.dv = d;
  return p;
}

float *decays(long H) {
  float *decay = random_floats((size_t)H);
  for (long h = 0; h < H; h++) decay[h] = 1.0f - exp2f(-5.0f - (float)(h % 8));
  return decay;
}

void methods(long H, long N, long d, int threads, int repeats) {
  const size_t elements = (size_t)(H * N * d);
  float *q = random_floats(elements), *k = random_floats(elements), *v = random_floats(elements);
  float *o = random_floats(elements), *decay = decays(H);
  static double times[8][kMost], peaks[kMost];
  double unused;
  for (int r = 0; r < repeats; r++) {
    machine_peak(threads, &peaks[r], &unused);
    for (int m = LEET_METHOD_VANILLA; m <= LEET_METHOD_FLASH; m++) {
      leet_params p = shape(H, N, d, threads, m);
      times[m][r] = time_forward(&p, q, k, v, decay, nullptr, o);
    }
  }
  const double rate = median(peaks, repeats), bound = 4.0 * (double)(d * d) * (double)(N * H) / rate;
  printf("Multiply-add peak measured in this run: %.0f GFLOP/s; bound 4 dk dv N H: %.2f ms\n\n", rate * 1e-9,
         bound * 1e3);
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
  free(q), free(k), free(v), free(o), free(decay);
}

void one_head(long d, int threads, int repeats) {
  const long N = 65536;
  const size_t elements = (size_t)(N * d);
  float *q = random_floats(elements), *k = random_floats(elements), *v = random_floats(elements);
  float *o = random_floats(elements), *decay = decays(1);
  static double alone[kMost], together[kMost];
  for (int r = 0; r < repeats; r++) {
    leet_params p = shape(1, N, d, 1, LEET_METHOD_FLASH);
    alone[r] = time_forward(&p, q, k, v, decay, nullptr, o);
    p.threads = threads;
    together[r] = time_forward(&p, q, k, v, decay, nullptr, o);
  }
  const double one = median(alone, repeats), all = median(together, repeats);
  printf("\nflash, H=1 N=%ld dk=dv=%ld: %.2f ms on one thread, %.2f ms on %d: %.2f times as fast\n", N, d, one * 1e3,
         all * 1e3, threads, one / all);
  free(q), free(k), free(v), free(o), free(decay);
}

void decode(long d, int threads, int repeats) {
  const long H = ((long)128 << 20) / (d * d * 4); /* 128 MiB of states */
  const size_t elements = (size_t)(H * d), state = (size_t)(H * d * d);
  float *q = random_floats(elements), *k = random_floats(elements), *v = random_floats(elements);
  float *o = random_floats(elements), *decay = decays(H), *states = random_floats(state);
  static double times[kMost], rates[kMost];
  double unused;
  for (int r = 0; r < repeats; r++) {
    machine_peak(threads, &unused, &rates[r]);
    leet_params p = shape(H, 1, d, threads, LEET_METHOD_AUTO);
    times[r] = time_forward(&p, q, k, v, decay, states, o);
  }
  const double bytes = 4.0 * (2.0 * (double)state + 4.0 * (double)elements);
  const double reached = bytes / median(times, repeats), most = median(rates, repeats);
  printf(
      "\nDecode step, 128 MiB of states in place, dk=dv=%ld: %.1f GB/s of %.1f GB/s for an update in place: %.0f %%\n",
      d, reached * 1e-9, most * 1e-9, 100 * reached / most);
  free(q), free(k), free(v), free(o), free(decay), free(states);
}

}  // namespace

int main(int argc, char **argv) {
  const long H = option(argc, argv, "--H", 32), N = option(argc, argv, "--N", 2048), d = option(argc, argv, "--d", 128);
  const int threads = (int)option(argc, argv, "--threads", 2), repeats = (int)option(argc, argv, "--repeats", 9);
  if (H < 1 || N < 1 || d < 1 || d > 512 || threads < 1 || repeats < 1 || repeats > kMost) {
    fprintf(stderr, "speed: H, N, d (to 512), threads and repeats (to %d) must be positive\n", kMost);
    return 2;
  }
  leet_device_info cpu = {};
  cpu.struct_size = sizeof cpu;
  if (leet_device_get(0, &cpu) != LEET_OK) return 1;
  printf("%s, %s, %d threads, f32, B=1 H=%ld N=%ld dk=dv=%ld, decay [H], median of %d\n", cpu.name, cpu.isa, threads, H,
         N, d, repeats);
  methods(H, N, d, threads, repeats);
  one_head(d, threads, repeats);
  decode(d, threads, repeats);
  return 0;
}
