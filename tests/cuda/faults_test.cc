/* Every driver function failing in turn: a typed error that names it, outputs untouched, nothing leaked, and the next
 * call right. Each fault has a process of its own, because the driver is loaded and the device opened once. */
#include <sys/wait.h>

#include "emulator.h"
#include "judge.h"

namespace {

const char *const kFunctions[] = {
#define LEET_DRIVER(name, parameters) #name,
#include "../../cuda/src/gpu/driver.def"
#undef LEET_DRIVER
};

/* Functions whose failure spoils no result: error texts, and giving back what is no longer needed. */
bool harmless(const char *function) {
  return strncmp(function, "cuGetError", 10) == 0 || strcmp(function, "cuMemFree_v2") == 0 ||
         strcmp(function, "cuMemGetInfo_v2") == 0;
}

/* block has several launches and a workspace; the strided o takes the way over a bounce. */
void new_call(Call *c, int method, int64_t N = 70) {
  leet_params p = shape_of(1, 2, 1, N, 8, 8);
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
const char *const kFinding[] = {
    "a typed error",        "an unexpected status", "a message that does not name the function",
    "outputs changed",      "the next call failed", "the next call was wrong",
    "device memory leaked", "a wrong result"};

int leaked() {
  uint64_t allocated = 0, free_bytes = 0, total = 0;
  leet_workspace_release();
  leet_workspace_release(); /* a free that failed once is tried again */
  const leet_status status = leet_device_memory(0, &allocated, &free_bytes, &total, nullptr, 0);
  return status != LEET_OK || allocated != 0 || free_bytes != total;
}

/* The call with one fault in it; ends the process. `name`: what the message must say. */
void child(const Emulator &emulator, const char *fault, const char *name, leet_status expected, int method) {
  emulator_set(&emulator, "QUIET", "1");
  emulator_set(&emulator, "FAIL", fault);
  Call c;
  new_call(&c, method);
  call_remember(&c);
  const leet_status status = call_forward(&c);
  emulator_set(&emulator, "FAIL", "");
  if (status != LEET_OK) {
    if (status != expected) {
      printf("status %d: %s\n", (int)status, c.p.message);
      _exit(WRONG_STATUS);
    }
    if (strstr(c.p.message, name) == nullptr) _exit(NOT_NAMED);
    if (!call_unchanged(&c)) _exit(OUTPUT_CHANGED);
  } else if (!right(c)) {
    _exit(WRONG_RESULT);
  }
  call_clear_outputs(&c);
  if (call_forward(&c) != LEET_OK) {
    printf("next: %s\n", c.p.message);
    _exit(NEXT_FAILED);
  }
  if (!right(c)) _exit(NEXT_WRONG);
  if (leaked()) _exit(LEAKED);
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

/* Fails call 1, 2, ... of the function until a run reaches no more of them. */
void fail_each_call(const Emulator &emulator, const char *function, int code, leet_status expected, const char *name,
                    int method) {
  int seen = 0, quiet = 0;
  for (int call = 1; call < 60; call++) {
    char fault[100], test[160];
    snprintf(fault, sizeof fault, "%s:%d:%d", function, call, code);
    snprintf(test, sizeof test, "%s method %d", fault, method);
    current_test = test;
    const int found = in_process([&] { child(emulator, fault, name, expected, method); });
    expect(found == NOT_REACHED || found == FAULT_SEEN, "%s",
           found > FAULT_SEEN && found <= WRONG_RESULT ? kFinding[found - FAULT_SEEN] : "the process died");
    seen += found == FAULT_SEEN;
    quiet = found == NOT_REACHED ? quiet + 1 : 0;
    if (quiet == 3) break; /* one quiet call may be one that does not matter */
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

/* A launch that fails when nobody asked for cuda is done again on the CPU. */
void falls_back(const Emulator &emulator) {
  current_test = "auto falls back after a failed launch";
  const int found = in_process([&] {
    emulator_set(&emulator, "QUIET", "1");
    emulator_set(&emulator, "FAIL", "cuLaunchKernel:1:999");
    Call c;
    new_call(&c, LEET_METHOD_BLOCK);
    c.p.device = LEET_DEVICE_AUTO;
    _exit(call_forward(&c) == LEET_OK && right(c) ? 0 : 1);
  });
  expect(found == 0, "the call failed or was wrong");
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
    fail_each_call(emulator, function, 999, LEET_DRIVER_ERROR, function, method);
  }
  fail_each_call(emulator, "cuMemAlloc_v2", 2, LEET_DEVICE_OUT_OF_MEMORY, "bytes of device memory", LEET_METHOD_BLOCK);
  fail_each_call(emulator, "cuLaunchKernel", 701, LEET_LAUNCH_FAILED, "cuLaunchKernel", LEET_METHOD_BLOCK);
  fail_each_call(emulator, "cuModuleLoadData", 218, LEET_BAD_KERNEL_IMAGE, "cuModuleLoadData", LEET_METHOD_BLOCK);
  fail_each_call(emulator, "cuDevicePrimaryCtxRetain", 46, LEET_DEVICE_UNAVAILABLE, "cuDevicePrimaryCtxRetain",
                 LEET_METHOD_BLOCK);
  expect_status(emulator, "DEVICES", "0", LEET_NO_DEVICE, "device");
  expect_status(emulator, "DRIVER", "10020", LEET_DRIVER_TOO_OLD, "10.2");
  expect_status(emulator, "CC", "7.5", LEET_UNSUPPORTED_DEVICE, "7.5");
  expect_status(emulator, "MEMORY", "64K", LEET_DEVICE_OUT_OF_MEMORY, "bytes of device memory");
  expect_status(emulator, "LEET_CUDA_DRIVER", "/nowhere/libcuda.so.1", LEET_NO_DRIVER, "/nowhere/libcuda.so.1");
  falls_back(emulator);
  return finish_tests();
}
