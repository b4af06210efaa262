/* Several devices, the caller's streams, and calls from several threads at once. */
#include <pthread.h>

#include <initializer_list>

#include "emulator.h"
#include "judge.h"

namespace {

typedef int (*Function)(...);

/* The driver itself, as a program that uses it beside the library does. */
Function driver(const char *name) {
  static void *library = dlopen(getenv("LEET_CUDA_DRIVER"), RTLD_NOW);
  Function found = nullptr;
  *(void **)&found = dlsym(library, name);
  if (found == nullptr) {
    printf("FAIL the driver has no %s\n", name);
    exit(1);
  }
  return found;
}

const int kDevices = 3;
int devices;

leet_params problem(int method, int device, int64_t N) {
  leet_params p = shape_of(2, 2, 1, N, 12, 10);
  p.method = method;
  p.dtype = method % 3;
  p.device = LEET_DEVICE_CUDA;
  p.device_index = device;
  p.decay_form = LEET_DECAY_LOG_GATES;
  return p;
}

bool is_right(const Call &c) {
  const double exact[2] = {2e-6, 2e-6}, rounded[2] = {4e-3, 5e-4};
  Score o, state;
  judge(&c, (const float *)c.argument[STATE_IN],
        c.p.method == LEET_METHOD_FLASH && c.p.dtype != LEET_F32 ? rounded : exact, &o, &state);
  return o.element <= 1 && o.overall <= 1 && state.element <= 1 && state.overall <= 1;
}

/* Device memory for every array of the call, filled. */
bool upload(Call *c) {
  c->p.flags = LEET_FLAG_DEVICE_POINTERS;
  for (int i = 0; i < ARRAYS; i++) {
    uint64_t address = 0;
    if (i == CU) continue;
    if (leet_device_alloc(c->p.device_index, c->array[i].bytes, &address, nullptr, 0) != LEET_OK ||
        leet_device_write(c->p.device_index, address, c->array[i].data, c->array[i].bytes, nullptr, 0) != LEET_OK) {
      return false;
    }
    c->argument[i] = (void *)address;
  }
  return true;
}

/* Back to the host and freed. */
bool download(Call *c) {
  bool good = true;
  for (int i = 0; i < ARRAYS; i++) {
    if (i == CU) continue;
    const uint64_t address = (uint64_t)c->argument[i];
    if (i == OUT || i == STATE_OUT) {
      good = good &&
             leet_device_read(c->p.device_index, c->array[i].data, address, c->array[i].bytes, nullptr, 0) == LEET_OK;
    }
    good = good && leet_device_free(c->p.device_index, address, nullptr, 0) == LEET_OK;
    c->argument[i] = c->array[i].data;
  }
  c->p.flags = 0;
  c->p.stream = 0;
  return good;
}

/* Every device gives the same bits, calls on them in turn, and each has memory of its own. */
void devices_in_turn() {
  for (int method = LEET_METHOD_VANILLA; method <= LEET_METHOD_FLASH; method++) {
    current_test = "devices in turn";
    Call calls[kDevices];
    for (int turn = 0; turn < 2; turn++) {
      for (int d = 0; d < devices; d++) {
        const leet_params p = problem(method, d, 90);
        call_new(&calls[d], &p);
        expect(call_forward(&calls[d]) == LEET_OK, "device %d: %s", d, calls[d].p.message);
        expect(calls[d].p.device_index_used == d, "device %d ran on %d", d, (int)calls[d].p.device_index_used);
        expect(is_right(calls[d]), "device %d, method %d: wrong", d, method);
        expect(same_outputs(&calls[0], &calls[d]), "device %d gives other bits than device 0", d);
      }
      for (int d = 0; d < devices; d++) call_free(&calls[d]);
    }
  }
  current_test = "memory of one device on another";
  if (devices < 2) return;
  const leet_params p = problem(LEET_METHOD_BLOCK, 0, 20);
  Call c;
  call_new(&c, &p);
  expect(upload(&c), "%s", c.p.message);
  char message[256] = "";
  const uint64_t address = (uint64_t)c.argument[Q];
  expect(leet_device_free(1, address, message, sizeof message) == LEET_INVALID_POINTER, "%s", message);
  uint64_t on_first = 0, on_second = 0, unused;
  expect(leet_device_memory(0, &on_first, &unused, &unused, nullptr, 0) == LEET_OK &&
             leet_device_memory(1, &on_second, &unused, &unused, nullptr, 0) == LEET_OK && on_first > 0 &&
             on_second == 0,
         "%llu bytes on device 0, %llu on 1", (unsigned long long)on_first, (unsigned long long)on_second);
  expect(download(&c), "download");
  leet_params beyond = problem(LEET_METHOD_BLOCK, devices, 20);
  Call refused;
  call_new(&refused, &beyond);
  expect(call_forward(&refused) == LEET_UNSUPPORTED_DEVICE && strstr(refused.p.message, "device_index"), "%s",
         refused.p.message);
  call_free(&refused);
  call_free(&c);
}

/* Whatever context the caller has current is so afterwards, in good and in failing calls. */
void context_is_restored(const Emulator &emulator) {
  current_test = "the caller's context";
  void *mine = nullptr, *now = nullptr;
  expect(driver("cuDevicePrimaryCtxRetain")(&mine, 0) == 0, "retain");
  for (void *context : {(void *)nullptr, mine}) {
    driver("cuCtxSetCurrent")(context);
    for (int d = 0; d < devices; d++) {
      for (const char *fault : {"", "cuLaunchKernel:1:999", "cuMemcpyDtoHAsync_v2:1:999"}) {
        if (fault[0] && !emulated(&emulator)) continue;
        if (emulated(&emulator)) emulator.reset();
        emulator_set(&emulator, "FAIL", fault);
        const leet_params p = problem(LEET_METHOD_BLOCK, d, 70);
        Call c;
        call_new(&c, &p);
        expect((call_forward(&c) == LEET_OK) == (fault[0] == 0), "device %d, %s: %s", d, fault, c.p.message);
        driver("cuCtxGetCurrent")(&now);
        expect(now == context, "device %d, %s: another context is current", d, fault);
        call_free(&c);
      }
      emulator_set(&emulator, "FAIL", "");
      uint64_t unused;
      expect(leet_device_memory(d, &unused, &unused, &unused, nullptr, 0) == LEET_OK, "memory");
      driver("cuCtxGetCurrent")(&now);
      expect(now == context, "leet_device_memory left another context");
    }
  }
  driver("cuCtxSetCurrent")(nullptr);
  driver("cuDevicePrimaryCtxRelease_v2")(0);
}

/* A call on the caller's stream returns before the work is done; waiting for the stream ends it. Two streams at once,
 * each with a queue of calls that depend on each other: the state of one is the start of the next. */
void streams_of_the_caller(const Emulator &emulator, int method, int device) {
  current_test = "streams of the caller";
  void *context = nullptr, *streams[2] = {};
  driver("cuDevicePrimaryCtxRetain")(&context, device);
  driver("cuCtxSetCurrent")(context);
  Call calls[2], whole[2];
  const int64_t N = 96, steps = 3;
  for (int i = 0; i < 2; i++) {
    driver("cuStreamCreate")(&streams[i], 1u);
    const leet_params p = problem(method, device, N * steps + 64 * i);
    call_new(&calls[i], &p);
    call_new(&whole[i], &p);
    expect(call_forward(&whole[i]) == LEET_OK && upload(&calls[i]), "%s", whole[i].p.message);
    calls[i].p.stream = (uint64_t)streams[i];
  }
  for (int step = 0; step < steps; step++) { /* cut along time by hand */
    for (int i = 0; i < 2; i++) {
      leet_params &p = calls[i].p;
      const int64_t all = N * steps + 64 * i, bytes = (int64_t)element_bytes(&p);
      p.N = step + 1 < steps ? N : all - N * step;
      const struct {
        int array;
        int64_t *stride, heads, dim, bytes;
      } arrays[] = {{Q, p.q_stride, p.H, p.dk, bytes},
                    {K, p.k_stride, p.Hkv, p.dk, bytes},
                    {V, p.v_stride, p.Hkv, p.dv, bytes},
                    {DECAY, p.gate_stride, p.H, 1, 4},
                    {OUT, p.o_stride, p.H, p.dv, bytes}};
      void *argument[ARRAYS];
      memcpy(argument, calls[i].argument, sizeof argument);
      for (const auto &a : arrays) {
        a.stride[0] = a.heads * all * a.dim;
        a.stride[1] = all * a.dim;
        a.stride[2] = a.dim;
        calls[i].argument[a.array] = (char *)argument[a.array] + N * step * a.dim * a.bytes;
      }
      p.q_len = p.k_len = p.v_len = p.o_len = p.decay_len = 0;
      if (step > 0) calls[i].argument[STATE_IN] = calls[i].argument[STATE_OUT];
      expect(call_forward(&calls[i]) == LEET_OK, "step %d: %s", step, p.message);
      memcpy(calls[i].argument, argument, sizeof argument);
    }
  }
  for (int i = 0; i < 2; i++) {
    if (emulated(&emulator)) {
      expect(driver("cuStreamQuery")(streams[i]) == 600, "the call waited for the caller's stream");
    }
    expect(driver("cuStreamSynchronize")(streams[i]) == 0, "synchronize");
  }
  for (int i = 0; i < 2; i++) {
    const int64_t all = N * steps + 64 * i;
    expect(download(&calls[i]), "download");
    calls[i].p = whole[i].p;
    calls[i].p.N = all;
    expect(is_right(calls[i]), "method %d, stream %d: wrong", method, i);
    call_free(&calls[i]);
    call_free(&whole[i]);
    driver("cuStreamDestroy_v2")(streams[i]);
  }
  leet_workspace_release();
  driver("cuCtxSetCurrent")(nullptr);
  driver("cuDevicePrimaryCtxRelease_v2")(device);
}

struct Worker {
  pthread_t thread;
  int number, bad;
  Call expected[2];
};

/* Host calls, cut and uncut, and calls on device memory, against the bits of a call that was alone. */
void *work(void *argument) {
  Worker *w = (Worker *)argument;
  for (int turn = 0; turn < 6; turn++) {
    Call &expected = w->expected[turn % 2];
    Call c;
    call_new(&c, &expected.p);
    bool good = turn % 3 != 2 || upload(&c);
    good = good && call_forward(&c) == LEET_OK;
    if (turn % 3 == 2) good = download(&c) && good;
    w->bad += !good || !same_outputs(&c, &expected);
    if (turn == 3) leet_workspace_release();
    call_free(&c);
  }
  return nullptr;
}

void threads_at_once() {
  const int kThreads = 6;
  static Worker workers[kThreads];
  for (int i = 0; i < kThreads; i++) {
    workers[i].number = i;
    for (int k = 0; k < 2; k++) {
      /* fleet and lightning have the same bits cut by time as uncut only by chance: block and recurrent shapes that are
       * cut by heads, and a short call */
      leet_params p = problem(k ? LEET_METHOD_BLOCK : LEET_METHOD_RECURRENT, i % devices, 11 + 7 * i);
      p.dtype = LEET_F32;
      current_test = "alone";
      call_new(&workers[i].expected[k], &p);
      expect(call_forward(&workers[i].expected[k]) == LEET_OK && is_right(workers[i].expected[k]), "%s",
             workers[i].expected[k].p.message);
    }
  }
  current_test = "threads at once";
  for (Worker &w : workers) {
    if (pthread_create(&w.thread, nullptr, work, &w) != 0) exit(1);
  }
  for (Worker &w : workers) {
    pthread_join(w.thread, nullptr);
    expect(w.bad == 0, "thread %d: %d calls failed or gave other bits than alone", w.number, w.bad);
    for (Call &c : w.expected) call_free(&c);
  }
  uint64_t allocated = 0, free_bytes = 0, total = 0;
  leet_workspace_release();
  for (int d = 0; d < devices; d++) {
    expect(leet_device_memory(d, &allocated, &free_bytes, &total, nullptr, 0) == LEET_OK && allocated == 0,
           "device %d: %llu bytes are left", d, (unsigned long long)allocated);
  }
}

}  // namespace

int main() {
  start_tests();
  setenv("LEET_STAGE_BYTES", "8192", 1);
  const Emulator emulator = emulator_open();
  emulator_set(&emulator, "DEVICES", "3");
  emulator_set(&emulator, "CHECKS", "on");
  leet_device_info info;
  info.struct_size = sizeof info;
  while (devices < kDevices && leet_device_get(devices + 1, &info) == LEET_OK) devices++;
  current_test = "devices";
  expect(devices == kDevices || (devices > 0 && !emulated(&emulator)), "%d devices", devices);
  devices_in_turn();
  if (emulated(&emulator)) emulator_set(&emulator, "QUIET", "1");
  context_is_restored(emulator);
  for (int method = LEET_METHOD_VANILLA; method <= LEET_METHOD_FLASH; method++) {
    streams_of_the_caller(emulator, method, method % devices);
  }
  for (const char *schedule : {"forward", "random:3"}) {
    emulator_set(&emulator, "SCHEDULE", schedule);
    threads_at_once();
  }
  return finish_tests();
}
