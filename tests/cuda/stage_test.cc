/* Calls on host arrays that are cut into parts: against the float64 recurrence, with the bits of the uncut call where
 * that is promised, with the same bits whatever the order of events, in less device memory, and with the steps of
 * neighbouring parts queued side by side. `stage_test NAME` runs the methods whose name contains NAME. */
#include <sys/wait.h>

#include "cases.h"

namespace {

/* How a part of 4096 bytes cuts a shape. */
struct CutShape {
  const char *cut;
  Shape shape;
};

const CutShape kCutShapes[] = {
    {"rows", {7, 2, 1, 5, 8, 8, 0, DENSE}},
    {"rows", {5, 2, 2, 9, 6, 5, 0, BNHD}},
    {"rows", {40, 3, 1, 1, 4, 4, 0, IN_PLACE}},
    {"rows", {40, 2, 1, 0, 8, 8, 0, DENSE}},
    {"heads", {2, 6, 3, 17, 9, 7, 0, STRIDED}},
    {"heads", {1, 5, 5, 20, 8, 12, 0, IN_PLACE}},
    {"heads", {2, 4, 4, 33, 16, 8, 0, BNHD}},
    {"heads", {1, 4, 2, 30, 20, 40, 0, NO_STATES}},
    {"heads", {1, 8, 4, 25, 7, 9, 3, DENSE}},
    {"time", {1, 2, 1, 200, 16, 8, 0, DENSE}},
    {"time", {2, 2, 2, 129, 24, 8, 0, BNHD}},
    {"time", {1, 3, 1, 193, 8, 20, 0, IN_PLACE}},
    {"time", {2, 1, 1, 150, 20, 12, 0, STRIDED}},
    {"time", {1, 2, 2, 140, 12, 30, 0, NO_STATES}},
    {"time", {1, 2, 1, 257, 8, 8, 0, NO_INITIAL}},
    {"time", {1, 1, 1, 170, 33, 10, 0, NO_FINAL}},
    {"sequences", {1, 2, 2, 150, 8, 8, 5, DENSE}},
    {"sequences and time", {1, 2, 1, 400, 8, 8, 3, BNHD}},
    {"sequences and time", {1, 2, 2, 350, 10, 6, 3, IN_PLACE}},
};
const Shape &kByHeads = kCutShapes[4].shape, &kByTime = kCutShapes[9].shape;

void name_cut(const Case &x, const char *what, const char *more) {
  static char name[240];
  name_test(x, more);
  snprintf(name, sizeof name, "%s: %s", what, current_test);
  current_test = name;
}

/* The results of a call that did not run in place. */
void expect_right(const Call &c) {
  const Tolerance allowed = tolerance_of(c.p.dtype);
  Reference reference = reference_of(&c, (const float *)c.argument[STATE_IN]);
  Score o, state;
  judge_by(&c, &reference, &allowed, &o, &state);
  expect(o.element <= 1 && o.overall <= 1, "o: %g, %g of the allowed error", o.element, o.overall);
  expect(state.element <= 1 && state.overall <= 1, "final_state: %g, %g of the allowed error", state.element,
         state.overall);
  reference_free(&reference);
}

void cut_call(const Emulator &emulator, const CutShape &s, int method, int dtype, int form, const char *schedule) {
  const Case x = {&s.shape, method, dtype, form};
  name_cut(x, s.cut, schedule);
  emulator_set(&emulator, "SCHEDULE", schedule);
  Prepared run;
  prepare(x, &run);
  run_case(&run);
  prepared_free(&run);
}

/* The same arrays in device memory, which no call cuts; outputs to `host`. */
void run_uncut(Call *host) {
  char message[256] = "";
  Call device = *host;
  device.p.flags = LEET_FLAG_DEVICE_POINTERS;
  uint64_t address[ARRAYS] = {};
  for (int i = 0; i < ARRAYS; i++) {
    if (i == CU || host->argument[i] == nullptr) continue;
    const size_t bytes = host->array[i].bytes;
    expect(leet_device_alloc(0, bytes, &address[i], message, sizeof message) == LEET_OK &&
               leet_device_write(0, address[i], host->array[i].data, bytes, message, sizeof message) == LEET_OK,
           "%s", message);
    device.argument[i] = (void *)address[i];
  }
  device.passed = &device.p;
  expect(call_forward(&device) == LEET_OK, "uncut: %s", device.p.message);
  for (int i : {OUT, STATE_OUT}) {
    if (address[i] == 0) continue;
    expect(
        leet_device_read(0, host->array[i].data, address[i], host->array[i].bytes, message, sizeof message) == LEET_OK,
        "%s", message);
  }
  for (uint64_t a : address) {
    if (a) expect(leet_device_free(0, a, message, sizeof message) == LEET_OK, "%s", message);
  }
}

/* Heads and rows know nothing of each other: every method but flash, which shares its segments out by heads. */
void bits_of_the_uncut_call(const Emulator &emulator, const CutShape &s, int method, int dtype) {
  const Case x = {&s.shape, method, dtype, (method + dtype) % 4};
  const leet_params p = params_of(x);
  name_cut(x, "same bits as uncut", s.cut);
  emulator_set(&emulator, "SCHEDULE", "forward");
  Call cut, uncut;
  call_new(&cut, &p);
  call_new(&uncut, &p);
  run_uncut(&uncut);
  expect(call_forward(&cut) == LEET_OK, "%s", cut.p.message);
  expect(same_outputs(&cut, &uncut), "other bits than the uncut call");
  call_free(&cut);
  call_free(&uncut);
}

/* Whatever runs ahead of what, and with or without page-locked memory. */
void bits_in_every_order(const Emulator &emulator, const Shape &s, int method) {
  const Case x = {&s, method, LEET_F32, LEET_DECAY_LOG_GATES};
  const leet_params p = params_of(x);
  const struct {
    const char *key, *value, *back;
  } orders[] = {{"STREAMS", "eager", "late"},
                {"SCHEDULE", "random:2", "forward"},
                {"SCHEDULE", "random:7", "forward"},
                {"FAIL", "cuMemHostAlloc:1:2:from", ""},
                {"FAIL", "cuMemHostAlloc:3:2:from", ""}};
  name_cut(x, "same bits in every order", "");
  Call first;
  call_new(&first, &p);
  expect(call_forward(&first) == LEET_OK, "%s", first.p.message);
  for (const auto &o : orders) {
    name_cut(x, "same bits in every order", o.value);
    leet_workspace_release();
    emulator.reset(); /* call numbers */
    emulator_set(&emulator, o.key, o.value);
    Call again;
    call_new(&again, &p);
    expect(call_forward(&again) == LEET_OK, "%s", again.p.message);
    expect(same_outputs(&first, &again), "other bits");
    call_free(&again);
    emulator_set(&emulator, o.key, o.back);
  }
  call_free(&first);
}

/* Calls of a driver function since the last reset. */
long calls_of(const Emulator &emulator, const char *function) {
  const int length = emulator.counters(nullptr, 0);
  char *text = (char *)malloc((size_t)length + 1), quoted[80];
  if (text == nullptr) exit(1);
  emulator.counters(text, length + 1);
  snprintf(quoted, sizeof quoted, "\"%s\": ", function);
  const char *calls = strstr(text, "\"calls\""), *found = calls ? strstr(calls, quoted) : nullptr;
  const long count = found ? atol(found + strlen(quoted)) : 0;
  free(text);
  return count;
}

/* When the host first waits for results, the next part is queued whole: copies in, kernels, copies out. A part here is
 * a head and a launch, and its outputs are less than the pieces hold. */
void neighbours_overlap(const Emulator &emulator) {
  current_test = "two parts queued before the first wait for results";
  leet_params p = shape_of(1, 5, 5, 20, 8, 8);
  p.method = LEET_METHOD_RECURRENT;
  p.device = LEET_DEVICE_CUDA;
  Call c;
  call_new(&c, &p);
  expect(call_forward(&c) == LEET_OK, "%s", c.p.message);
  call_remember(&c);
  bool found = false;
  for (int wait = 1; wait < 20 && !found; wait++) { /* those before are for pieces to the device to be free again */
    char fault[80];
    snprintf(fault, sizeof fault, "cuEventSynchronize:%d:999", wait);
    emulator.reset();
    emulator_set(&emulator, "FAIL", fault);
    expect(call_forward(&c) == LEET_DRIVER_ERROR && strstr(c.p.message, "cuEventSynchronize"), "%s", c.p.message);
    expect(call_unchanged(&c), "an array changed before anything had arrived");
    found = strstr(c.p.message, "to the host") != nullptr;
  }
  const long kernels = calls_of(emulator, "cuLaunchKernel"), waits = calls_of(emulator, "cuStreamWaitEvent"),
             out = calls_of(emulator, "cuMemcpyDtoHAsync_v2"), in = calls_of(emulator, "cuMemcpyHtoDAsync_v2");
  expect(found && kernels == 2 && waits == 4 && out >= 4 && in >= 8,
         "%ld launches, %ld waits of a stream for another, %ld copies to the host, %ld to the device", kernels, waits,
         out, in);
  emulator_set(&emulator, "FAIL", "");
  expect(call_forward(&c) == LEET_OK, "next: %s", c.p.message);
  expect_right(c);
  call_free(&c);
}

/* A call whose arrays are several times what the device has. */
void less_device_memory(const Emulator &emulator, int64_t H, int64_t N, const char *memory) {
  leet_params p = shape_of(1, H, H, N, 16, 16);
  p.method = LEET_METHOD_LIGHTNING;
  p.device = LEET_DEVICE_CUDA;
  current_test = H > 1 ? "less device memory, cut by heads" : "less device memory, cut along time";
  leet_workspace_release();
  Call c;
  call_new(&c, &p);
  const double arrays = (double)(c.array[Q].bytes + c.array[K].bytes + c.array[V].bytes + c.array[OUT].bytes);
  emulator_set(&emulator, "MEMORY", memory);
  expect(arrays > 4 * 65536, "the call is too small to tell");
  expect(call_forward(&c) == LEET_OK, "%s", c.p.message);
  expect_right(c);
  leet_cost cost;
  cost.struct_size = sizeof cost;
  uint64_t kept = 0;
  expect(leet_estimate(&c.p, &cost) == LEET_OK && leet_workspace_bytes(&kept) == LEET_OK, "%s", c.p.message);
  expect((double)kept <= cost.workspace && cost.workspace < arrays / 2,
         "%llu bytes kept, %.0f estimated, %.0f of arrays", (unsigned long long)kept, cost.workspace, arrays);
  leet_workspace_release();
  expect(leet_workspace_bytes(&kept) == LEET_OK && kept == 0, "%llu bytes kept after the release",
         (unsigned long long)kept);
  emulator_set(&emulator, "MEMORY", "8G");
  call_free(&c);
}

/* Shapes that are only asked about may be of any size. */
void estimates_of_any_size() {
  current_test = "estimates";
  for (int64_t B : {(int64_t)1, (int64_t)1 << 20}) {
    leet_params p = shape_of(B, 1 << 10, 1 << 10, 1 << 20, 512 / 4, 128);
    p.device = LEET_DEVICE_CUDA;
    leet_cost cost;
    cost.struct_size = sizeof cost;
    expect(leet_estimate(&p, &cost) == LEET_OK && cost.workspace > 0, "%s", p.message);
    p.S = B == 1 ? 1000 : 0;
    expect(leet_estimate(&p, &cost) == LEET_OK && cost.workspace > 0, "%s", p.message);
  }
}

/* More tokens than flash has for one segment, in parts of a MiB that are themselves split, in a process of its own
 * because the size of parts is read once. */
void long_call() {
  current_test = "a long call in large parts";
  fflush(stdout);
  const pid_t process = fork();
  if (process == 0) {
    setenv("LEET_STAGE_BYTES", "1048576", 1);
    failed = 0;
    leet_params p = shape_of(1, 1, 1, 40000, 8, 8);
    p.method = LEET_METHOD_FLASH;
    p.device = LEET_DEVICE_CUDA;
    p.decay_form = LEET_DECAY_LOG_GATES;
    Call c;
    call_new(&c, &p);
    expect(call_forward(&c) == LEET_OK, "%s", c.p.message);
    expect_right(c);
    _exit(failed != 0);
  }
  int state = 0;
  waitpid(process, &state, 0);
  expect(WIFEXITED(state) && WEXITSTATUS(state) == 0, "it failed");
}

}  // namespace

int main(int argc, char **argv) {
  start_tests();
  setenv("LEET_STAGE_BYTES", "4096", 1);
  const Emulator emulator = emulator_open();
  emulator_set(&emulator, "CHECKS", "on");
  const char *const schedules[] = {"forward", "reverse", "random:1", "random:4", "random:11"};
  long_call();
  int turn = 0;
  for (int method = LEET_METHOD_VANILLA; method <= LEET_METHOD_FLASH; method++) {
    if (argc > 1 && strstr(kMethod[method], argv[1]) == nullptr) continue;
    for (const CutShape &s : kCutShapes) {
      for (int dtype = LEET_F32; dtype <= LEET_BF16; dtype++, turn++) {
        const bool slow =
            method == LEET_METHOD_VANILLA || method == LEET_METHOD_BLOCK || method == LEET_METHOD_RECURSION;
        if (slow && dtype != turn / 3 % 3) continue; /* one dtype for each cut */
        cut_call(emulator, s, method, dtype, turn % 4, schedules[turn % 5]);
      }
      const bool along_time = strstr(s.cut, "time") != nullptr;
      if (method != LEET_METHOD_FLASH && !along_time && s.shape.extra != IN_PLACE && s.shape.N > 1) {
        bits_of_the_uncut_call(emulator, s, method, turn % 3);
      }
    }
    if (!emulated(&emulator)) continue;
    emulator_set(&emulator, "SCHEDULE", "forward");
    bits_in_every_order(emulator, kByHeads, method);
    bits_in_every_order(emulator, kByTime, method);
  }
  estimates_of_any_size();
  if (!emulated(&emulator)) return finish_tests();
  emulator_set(&emulator, "SCHEDULE", "forward");
  neighbours_overlap(emulator);
  less_device_memory(emulator, 40, 30, "64K");
  less_device_memory(emulator, 1, 2000, "64K");
  return finish_tests();
}
