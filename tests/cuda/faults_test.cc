/* Every driver function failing in turn, once and from a call on: a typed error that names it, outputs untouched,
 * nothing leaked, and the next call right. Each fault has a process of its own, because the driver is loaded and the
 * device opened once. */
#include <sys/wait.h>

#include <initializer_list>

#include "emulator.h"
#include "judge.h"

namespace {

const char *const kFunctions[] = {
#define LEET_DRIVER(name, parameters) #name,
#include "../../cuda/src/gpu/driver.def"
#undef LEET_DRIVER
};

/* Functions whose failure spoils no result: error texts, giving back what is no longer needed, and page-locked memory,
 * for which there is a substitute. */
bool harmless(const char *function) {
  for (const char *name : {"cuGetErrorName", "cuGetErrorString", "cuMemFree_v2", "cuMemGetInfo_v2", "cuMemHostAlloc",
                           "cuMemFreeHost", "cuEventDestroy_v2"}) {
    if (strcmp(function, name) == 0) return true;
  }
  return false;
}

/* How the arrays get to the device: at once, in parts, or before the call. */
enum Way { WHOLE, IN_PARTS, ON_DEVICE };
const char *const kWay[] = {"whole", "in parts", "on the device"};

/* block has several launches and a workspace; the strided o takes the way over a bounce. */
void new_call(Call *c, int method, int64_t N = 70) {
  leet_params p = shape_of(1, 2, 2, N, 8, 8);
  p.method = method;
  p.device = LEET_DEVICE_CUDA;
  p.decay_form = LEET_DECAY_FACTOR;
  p.o_stride[0] = 2 * N * 9;
  p.o_stride[1] = N * 9;
  p.o_stride[2] = 9;
  call_new(c, &p);
}

bool right(const Call &c) {
  const double exact[2] = {2e-6, 2e-6};
  Score o, state;
  judge(&c, (const float *)c.argument[STATE_IN], exact, &o, &state);
  return o.element <= 1 && o.overall <= 1 && state.element <= 1 && state.overall <= 1;
}

/* What a child found, as its exit code. */
enum {
  NOT_REACHED = 0,
  FAULT_SEEN = 10,
  WRONG_STATUS,
  NOT_NAMED,
  OUTPUT_CHANGED,
  NEXT_FAILED,
  NEXT_WRONG,
  LEAKED,
  WRONG_RESULT
};
const char *const kFinding[] = {"a typed error",    "an unexpected status", "a message that does not name the function",
                                "outputs changed",  "the next call failed", "the next call was wrong",
                                "something leaked", "a wrong result"};

/* Of all that the library asked the driver for, three streams and the modules may be left. */
bool leaked(const Emulator &emulator, bool events_refused) {
  uint64_t allocated = 0, free_bytes = 0, total = 0, kept = 0;
  leet_workspace_release();
  leet_workspace_release(); /* a free that failed once is tried again */
  if (leet_device_memory(0, &allocated, &free_bytes, &total, nullptr, 0) != LEET_OK || allocated != 0) return true;
  if (free_bytes != total || leet_workspace_bytes(&kept) != LEET_OK || kept != 0) return true;
  int (*give_back)(int) = nullptr;
  *(void **)&give_back = dlsym(dlopen(getenv("LEET_CUDA_DRIVER"), RTLD_NOW), "cuDevicePrimaryCtxRelease_v2");
  if (give_back == nullptr || give_back(0) != 0) return true;
  static char text[1 << 20];
  emulator.counters(text, sizeof text);
  const char *leaks = strstr(text, "\"leaks\"");
  return leaks == nullptr || strstr(leaks, "\"allocations\": 0") == nullptr ||
         strstr(leaks, "\"streams\": 3") == nullptr || strstr(leaks, "\"pinned\": 0") == nullptr ||
         (!events_refused && strstr(leaks, "\"events\": 0") == nullptr);
}

/* Both directions of what a call on device arrays needs. */
void to_device(Call *c) {
  c->p.flags = LEET_FLAG_DEVICE_POINTERS;
  for (int i = 0; i < ARRAYS; i++) {
    uint64_t address = 0;
    if (i == CU || leet_device_alloc(0, c->array[i].bytes, &address, nullptr, 0) != LEET_OK) continue;
    leet_device_write(0, address, c->array[i].data, c->array[i].bytes, nullptr, 0);
    c->argument[i] = (void *)address;
  }
}

void from_device(Call *c) {
  for (int i = 0; i < ARRAYS; i++) {
    if (i == CU) continue;
    const uint64_t address = (uint64_t)c->argument[i];
    leet_device_read(0, c->array[i].data, address, c->array[i].bytes, nullptr, 0);
    leet_device_free(0, address, nullptr, 0);
    c->argument[i] = c->array[i].data;
  }
  c->p.flags = 0;
}

/* Results of finished parts may stand in o, and kernels write arrays on the device in place; nothing else changes. */
bool outputs_kept(const Call &c, Way way) {
  for (int i = 0; i < ARRAYS; i++) {
    if (i == OUT ? way == WHOLE && !array_unchanged(&c.array[i]) : !array_unchanged(&c.array[i])) return false;
  }
  return true;
}

/* The call with a fault in it; ends the process. `name`: what the message must say. */
void child(const Emulator &emulator, const char *fault, const char *name, leet_status expected, int method, Way way) {
  if (way == IN_PARTS) setenv("LEET_STAGE_BYTES", "16384", 1); /* a head is a part */
  emulator_set(&emulator, "QUIET", "1");
  Call c;
  new_call(&c, method);
  call_remember(&c);
  if (way == ON_DEVICE) to_device(&c);
  emulator.reset();
  emulator_set(&emulator, "FAIL", fault);
  const leet_status status = call_forward(&c);
  emulator_set(&emulator, "FAIL", "");
  if (way == ON_DEVICE && status == LEET_OK) from_device(&c);
  if (status != LEET_OK) {
    if (status != expected) {
      printf("status %d: %s\n", (int)status, c.p.message);
      _exit(WRONG_STATUS);
    }
    if (strstr(c.p.message, name) == nullptr) _exit(NOT_NAMED);
    if (!outputs_kept(c, way)) _exit(OUTPUT_CHANGED);
  } else if (!right(c)) {
    _exit(WRONG_RESULT);
  }
  if (way == ON_DEVICE && status != LEET_OK) from_device(&c);
  uint64_t kept = 0;
  leet_workspace_release(); /* nothing that is still queued may use it */
  if (status != LEET_OK && (leet_workspace_bytes(&kept) != LEET_OK || kept != 0)) _exit(LEAKED);
  call_clear_outputs(&c);
  if (call_forward(&c) != LEET_OK) {
    printf("next: %s\n", c.p.message);
    _exit(NEXT_FAILED);
  }
  if (!right(c)) _exit(NEXT_WRONG);
  if (leaked(emulator, strncmp(fault, "cuEventDestroy", 14) == 0)) _exit(LEAKED);
  _exit(status == LEET_OK ? NOT_REACHED : FAULT_SEEN);
}

/* Runs body() in a process of its own; its exit code. */
template <class Body>
int in_process(const Body &body) {
  fflush(stdout);
  const pid_t process = fork();
  if (process == 0) {
    body();
    _exit(1);
  }
  int state = 0;
  waitpid(process, &state, 0);
  return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

/* Fails call 1, 2, ... of the function until a run reaches no more of them, or with `from` call 1, 2, 4, ... and all
 * later ones; how many were seen to fail. */
int fail_each_call(const Emulator &emulator, const char *function, int code, leet_status expected, const char *name,
                   int method, Way way, bool from) {
  int seen = 0, quiet = 0;
  for (int call = 1; call < 60; call += from ? call : 1) {
    char fault[100], test[200];
    snprintf(fault, sizeof fault, "%s:%d:%d%s", function, call, code, from ? ":from" : "");
    snprintf(test, sizeof test, "%s method %d %s", fault, method, kWay[way]);
    current_test = test;
    const int found = in_process([&] { child(emulator, fault, name, expected, method, way); });
    expect(found == NOT_REACHED || found == FAULT_SEEN, "%s",
           found > FAULT_SEEN && found <= WRONG_RESULT ? kFinding[found - FAULT_SEEN] : "the process died");
    seen += found == FAULT_SEEN;
    quiet = found == NOT_REACHED ? quiet + 1 : 0;
    if (quiet == 3 || (from && quiet == 1)) break; /* one quiet call may be one that does not matter */
  }
  return seen;
}

/* What a cut call does more often than one of one part, or alone. */
bool of_parts(const char *function) {
  for (const char *start : {"cuMem", "cuStream", "cuEvent", "cuLaunch"}) {
    if (strncmp(function, start, strlen(start)) == 0) return true;
  }
  return false;
}

/* In a call of one part, and in a cut one, where a fault that stays is tried as well. */
void fail_everywhere(const Emulator &emulator, const char *function, int code, leet_status expected, const char *name,
                     int method) {
  int seen = fail_each_call(emulator, function, code, expected, name, method, WHOLE, false);
  if (of_parts(function)) {
    seen += fail_each_call(emulator, function, code, expected, name, method, IN_PARTS, false) +
            fail_each_call(emulator, function, code, expected, name, method, IN_PARTS, true);
  }
  if (strcmp(function, "cuStreamSynchronize") == 0 || strcmp(function, "cuLaunchKernel") == 0) {
    seen += fail_each_call(emulator, function, code, expected, name, method, ON_DEVICE, false);
  }
  current_test = function;
  expect(seen > 0 || harmless(function), "no call of it could be made to fail");
}

/* What the environment of the driver must lead to. */
void expect_status(const Emulator &emulator, const char *key, const char *value, leet_status expected,
                   const char *text) {
  current_test = key;
  const int found = in_process([&] {
    if (strcmp(key, "LEET_CUDA_DRIVER") == 0) {
      setenv(key, value, 1);
    } else {
      emulator_set(&emulator, key, value);
    }
    Call c;
    new_call(&c, LEET_METHOD_BLOCK, 2000); /* too much for 64 KiB */
    call_remember(&c);
    const leet_status status = call_forward(&c);
    if (status != expected || strstr(c.p.message, text) == nullptr || !call_unchanged(&c)) {
      printf("status %d: %s\n", (int)status, c.p.message);
      _exit(WRONG_STATUS);
    }
    c.p.device = LEET_DEVICE_AUTO; /* not asked for: the CPU does it */
    if (call_forward(&c) != LEET_OK || !right(c)) {
      printf("auto: %s\n", c.p.message);
      _exit(NEXT_FAILED);
    }
    _exit(0);
  });
  expect(found == 0, "%s", found == NEXT_FAILED ? "auto did not fall back to the CPU" : "not the expected status");
}

/* A long call, for which auto takes the device; its state in place, so that a state written too early would be seen. */
leet_status call_in_place(Call *c) {
  new_call(c, LEET_METHOD_BLOCK, 4000);
  c->p.device = LEET_DEVICE_AUTO;
  c->argument[STATE_OUT] = c->argument[STATE_IN];
  return call_forward(c);
}

bool same_results(const Call &a, const Call &b) {
  for (int i : {(int)OUT, (int)STATE_IN}) {
    const float *x = (const float *)a.array[i].data, *y = (const float *)b.array[i].data;
    for (size_t at = 0; at < a.array[i].bytes / 4; at++) {
      if (memcmp(x + at, y + at, 4) != 0 && !(fabsf(x[at] - y[at]) <= 1e-4f * (1 + fabsf(y[at])))) return false;
    }
  }
  return true;
}

/* What fails on the device when nobody asked for cuda is done again on the CPU, from the state as it was. */
void falls_back(const Emulator &emulator, const char *function, bool in_parts) {
  int seen = 0;
  for (int call = 1; call < 40; call++) {
    char fault[100];
    snprintf(fault, sizeof fault, "%s:%d:999", function, call);
    current_test = fault;
    const int found = in_process([&] {
      if (in_parts) setenv("LEET_STAGE_BYTES", "16384", 1);
      emulator_set(&emulator, "QUIET", "1");
      Call expected, c;
      if (call_in_place(&expected) != LEET_OK || expected.p.device_used != LEET_DEVICE_CUDA) _exit(1);
      emulator.reset(); /* counts calls anew */
      emulator_set(&emulator, "FAIL", fault);
      if (call_in_place(&c) != LEET_OK || !same_results(c, expected)) _exit(1);
      _exit(c.p.device_used == LEET_DEVICE_CPU ? FAULT_SEEN : NOT_REACHED);
    });
    expect(found == FAULT_SEEN || found == NOT_REACHED, "the call failed or was wrong");
    seen += found == FAULT_SEEN;
    if (found == NOT_REACHED) break;
  }
  expect(seen > 0, "no call of it could be made to fail");
}

}  // namespace

int main() {
  start_tests();
  const Emulator emulator = emulator_open();
  if (!emulated(&emulator)) {
    printf("faults can only be injected into the emulated driver\n");
    return 0;
  }
  for (const char *function : kFunctions) {
    /* block has the most launches; only kernels with more shared memory than any kernel may have unasked set
     * attributes. */
    const int method = strcmp(function, "cuFuncSetAttribute") == 0 ? LEET_METHOD_FLASH : LEET_METHOD_BLOCK;
    fail_everywhere(emulator, function, 999, LEET_DRIVER_ERROR, function, method);
  }
  fail_everywhere(emulator, "cuMemAlloc_v2", 2, LEET_DEVICE_OUT_OF_MEMORY, "bytes of device memory", LEET_METHOD_BLOCK);
  fail_everywhere(emulator, "cuLaunchKernel", 701, LEET_LAUNCH_FAILED, "cuLaunchKernel", LEET_METHOD_BLOCK);
  fail_everywhere(emulator, "cuModuleLoadData", 218, LEET_BAD_KERNEL_IMAGE, "cuModuleLoadData", LEET_METHOD_BLOCK);
  fail_everywhere(emulator, "cuDevicePrimaryCtxRetain", 46, LEET_DEVICE_UNAVAILABLE, "cuDevicePrimaryCtxRetain",
                  LEET_METHOD_BLOCK);
  expect_status(emulator, "DEVICES", "0", LEET_NO_DEVICE, "device");
  expect_status(emulator, "DRIVER", "10020", LEET_DRIVER_TOO_OLD, "10.2");
  expect_status(emulator, "CC", "7.5", LEET_UNSUPPORTED_DEVICE, "7.5");
  expect_status(emulator, "MEMORY", "64K", LEET_DEVICE_OUT_OF_MEMORY, "bytes of device memory");
  expect_status(emulator, "LEET_CUDA_DRIVER", "/nowhere/libcuda.so.1", LEET_NO_DRIVER, "/nowhere/libcuda.so.1");
  for (const char *function : {"cuLaunchKernel", "cuMemcpyDtoHAsync_v2", "cuEventSynchronize"}) {
    falls_back(emulator, function, false);
    falls_back(emulator, function, true);
  }
  return finish_tests();
}
