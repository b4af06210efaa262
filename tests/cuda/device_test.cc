/* Device memory of the caller, calls on it, and what the kernels must keep exact: causality of values that are not
 * numbers, sums over many tokens, the same bits twice. */
#include <initializer_list>

#include "emulator.h"
#include "judge.h"

namespace {

const char *const kMethod[] = {"auto", "vanilla", "recurrent", "block", "recursion", "lightning", "fleet", "flash"};

/* Host bytes copied to fresh device memory. */
uint64_t upload(const void *from, size_t bytes) {
  uint64_t address = 0;
  char message[256] = "";
  expect(leet_device_alloc(0, bytes, &address, message, sizeof message) == LEET_OK, "alloc: %s", message);
  expect(leet_device_write(0, address, from, bytes, message, sizeof message) == LEET_OK, "write: %s", message);
  return address;
}

/* The arrays of a host call lose their gaps on the way to the device; those that are there already keep them. */
void device_pointers(const Emulator &emulator, int method, int dtype, bool gaps) {
  char name[80];
  snprintf(name, sizeof name, "device pointers %s dtype %d%s", kMethod[method], dtype, gaps ? ", with gaps" : "");
  current_test = name;
  leet_params p = shape_of(2, 2, 1, 70, 12, 20);
  p.method = method;
  p.dtype = dtype;
  p.device = LEET_DEVICE_CUDA;
  p.decay_form = gaps ? LEET_DECAY_LOG_GATES : LEET_DECAY_LOG;
  if (gaps) { /* time, batch, head from the outside, gaps after each */
    const struct {
      int64_t *stride, heads, dim;
    } arrays[] = {{p.q_stride, p.H, p.dk + 1},
                  {p.k_stride, p.Hkv, p.dk},
                  {p.v_stride, p.Hkv, p.dv + 4},
                  {p.o_stride, p.H, p.dv + 3},
                  {p.gate_stride, p.H, 1}};
    for (const auto &a : arrays) {
      a.stride[1] = a.dim;
      a.stride[0] = a.dim * a.heads + 3;
      a.stride[2] = a.stride[0] * p.B + 5;
    }
  }
  Call host, device;
  call_new(&host, &p);
  call_new(&device, &p);
  expect(call_forward(&host) == LEET_OK, "host: %s", host.p.message);
  device.p.flags = LEET_FLAG_DEVICE_POINTERS;
  uint64_t address[ARRAYS];
  for (int i = 0; i < ARRAYS; i++) {
    address[i] = i == CU ? 0 : upload(device.array[i].data, device.array[i].bytes);
    device.argument[i] = (void *)address[i];
  }
  expect(call_forward(&device) == LEET_OK, "device: %s", device.p.message);
  char message[256] = "";
  for (int i : {OUT, STATE_OUT}) {
    expect(leet_device_read(0, device.array[i].data, address[i], device.array[i].bytes, message, sizeof message) ==
               LEET_OK,
           "read: %s", message);
  }
  expect(same_outputs(&host, &device), "the device call gave other bits than the host call");
  uint64_t allocated = 0, free_bytes = 0, total = 0;
  expect(leet_device_memory(0, &allocated, &free_bytes, &total, message, sizeof message) == LEET_OK, "memory: %s",
         message);
  expect(allocated > 0 && free_bytes < total, "%llu bytes allocated", (unsigned long long)allocated);
  for (uint64_t a : address) {
    if (a) expect(leet_device_free(0, a, message, sizeof message) == LEET_OK, "free: %s", message);
  }
  leet_workspace_release();
  /* A GPU keeps some for itself. */
  expect(leet_device_memory(0, &allocated, &free_bytes, &total, nullptr, 0) == LEET_OK && allocated == 0 &&
             (free_bytes == total || !emulated(&emulator)),
         "device memory is left");
  call_free(&host);
  call_free(&device);
}

void device_errors() {
  current_test = "errors of leet_device_*";
  char message[256] = "";
  uint64_t address = 0;
  expect(
      leet_device_alloc(0, 8, nullptr, message, sizeof message) == LEET_INVALID_POINTER && strstr(message, "address"),
      "%s", message);
  expect(leet_device_alloc(-1, 8, &address, message, sizeof message) == LEET_INVALID_DEVICE && strstr(message, "-1"),
         "%s", message);
  expect(
      leet_device_alloc(40, 8, &address, message, sizeof message) == LEET_UNSUPPORTED_DEVICE && strstr(message, "40"),
      "%s", message);
  expect(leet_device_alloc(0, 1ull << 50, &address, message, sizeof message) == LEET_DEVICE_OUT_OF_MEMORY &&
             strstr(message, "1125899906842624"),
         "%s", message);
  expect(leet_device_free(0, 12345, message, sizeof message) == LEET_INVALID_POINTER && strstr(message, "0x3039"), "%s",
         message);
  expect(leet_device_write(0, 256, nullptr, 4, nullptr, 0) == LEET_INVALID_POINTER, "NULL was read");
}

/* A value that is not a number reaches no token before it and no other column than its own. */
void causal(int method, int dtype, float bad) {
  char name[80];
  snprintf(name, sizeof name, "%g in v, %s dtype %d", (double)bad, kMethod[method], dtype);
  current_test = name;
  leet_params p = shape_of(1, 1, 1, 80, 16, 24);
  p.method = method;
  p.dtype = dtype;
  p.device = LEET_DEVICE_CUDA;
  p.decay_form = LEET_DECAY_FACTOR;
  Call good, wild;
  call_new(&good, &p);
  call_new(&wild, &p);
  const int token = 37, column = 5;
  const size_t at = (size_t)(token * 24 + column);
  if (dtype == LEET_F32) {
    ((float *)wild.array[V].data)[at] = bad;
  } else {
    ((uint16_t *)wild.array[V].data)[at] = (uint16_t)((dtype == LEET_F16 ? 0x7c00 : 0x7f80) | (bad == bad ? 0 : 0x40));
  }
  expect(call_forward(&good) == LEET_OK && call_forward(&wild) == LEET_OK, "%s", wild.p.message);
  int same = 1, spread = 1;
  for (int64_t t = 0; t < p.N; t++) {
    for (int64_t n = 0; n < p.dv; n++) {
      const double x = from_element(&p, good.array[OUT].data, t * p.dv + n),
                   y = from_element(&p, wild.array[OUT].data, t * p.dv + n);
      if (t < token || n != column) {
        same = same && x == x && fabs(x - y) <= 1e-2 * (1 + fabs(x));
      } else {
        spread = spread && !(fabs(y) < 1e30);
      }
    }
  }
  expect(same, "it reached an earlier token or another column");
  expect(spread, "it did not reach its own column from its token on");
  call_free(&good);
  call_free(&wild);
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

/* Equal terms that hardly decay, or not at all: roundings add up instead of cancelling. */
void long_sum(int method, int64_t N, int form) {
  char name[80];
  snprintf(name, sizeof name, "sum of %d equal terms, %s, decay form %d", (int)N, kMethod[method], form);
  current_test = name;
  leet_params p = shape_of(1, 1, 1, N, 8, 8);
  p.method = method;
  p.device = LEET_DEVICE_CUDA;
  p.decay_form = form;
  Call c;
  call_new(&c, &p);
  ((float *)c.array[DECAY].data)[0] = awkward_factor();
  for (int i : {Q, K, V, STATE_IN}) {
    for (size_t x = 0; x < c.array[i].bytes / 4; x++) ((float *)c.array[i].data)[x] = 0.7f;
  }
  expect(call_forward(&c) == LEET_OK, "%s", c.p.message);
  const double exact[2] = {2e-6, 2e-6};
  Score o, state;
  judge(&c, (const float *)c.argument[STATE_IN], exact, &o, &state);
  expect(o.element <= 1 && o.overall <= 1, "o: %g, %g of the allowed error", o.element, o.overall);
  expect(state.element <= 1 && state.overall <= 1, "final_state: %g, %g of the allowed error", state.element,
         state.overall);
  call_free(&c);
}

void refuses_wide_heads() {
  current_test = "dk above the limit";
  leet_params p = shape_of(1, 1, 1, 4, 257, 8);
  p.device = LEET_DEVICE_CUDA;
  Call c;
  call_new(&c, &p);
  call_remember(&c);
  expect(call_forward(&c) == LEET_UNSUPPORTED_SHAPE && strstr(c.p.message, "dk") && strstr(c.p.message, "257"), "%s",
         c.p.message);
  expect(call_unchanged(&c), "an array changed");
  call_free(&c);
}

}  // namespace

int main() {
  start_tests();
  const Emulator emulator = emulator_open();
  emulator_set(&emulator, "CHECKS", "on");
  for (int method = LEET_METHOD_VANILLA; method <= LEET_METHOD_FLASH; method++) {
    for (int dtype = LEET_F32; dtype <= LEET_BF16; dtype++) {
      device_pointers(emulator, method, dtype, false);
      device_pointers(emulator, method, dtype, true);
      causal(method, dtype, NAN);
      causal(method, dtype, INFINITY);
    }
    for (int form : {LEET_DECAY_NONE, LEET_DECAY_FACTOR})
      long_sum(method, method == LEET_METHOD_VANILLA ? 1024 : 32768, form);
  }
  device_errors();
  refuses_wide_heads();
  return finish_tests();
}
