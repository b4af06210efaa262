/* Memory and threads that run out: at every allocation of every entry and method, once and from there on, a typed error
 * or a right result, outputs untouched after an error, nothing leaked, and the next call works. Needs a library built
 * with LEET_TEST_HOOKS. */
#define LEET_TEST_HOOKS
#include "../../cuda/src/alloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

#include "call.h"

using namespace leet;

/* Threads the system still gives; -1 = as many as asked for. */
static int threads_left = -1;

extern "C" int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                              void *argument) noexcept {
  typedef int (*Create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  if (threads_left == 0) return EAGAIN;
  if (threads_left > 0) threads_left--;
  return ((Create)dlsym(RTLD_NEXT, "pthread_create"))(thread, attributes, start, argument);
}

/* A shape for every way in which methods share out their work. */
static const struct {
  const char *name;
  int64_t B, H, Hkv, N, dk, dv, S;
  int dtype, decay_form, threads;
} kShapes[] = {
    {"one thread", 1, 2, 1, 90, 12, 20, 0, LEET_F32, LEET_DECAY_FACTOR, 1},
    {"more heads than threads", 2, 4, 2, 40, 16, 8, 0, LEET_F16, LEET_DECAY_LOG_GATES, 2},
    {"fewer heads than threads", 1, 1, 1, 700, 16, 24, 0, LEET_F32, LEET_DECAY_LOG, 3},
    {"ragged", 1, 2, 2, 200, 8, 8, 5, LEET_BF16, LEET_DECAY_NONE, 4},
    {"one token", 2, 2, 1, 1, 33, 17, 0, LEET_F32, LEET_DECAY_FACTOR, 2},
    {"no token", 2, 2, 1, 0, 33, 17, 0, LEET_F32, LEET_DECAY_FACTOR, 2},
};
enum { kShapeCount = sizeof kShapes / sizeof kShapes[0] };

static char test_name[160];

static leet_params params_of(int shape, int method) {
  const auto &s = kShapes[shape];
  leet_params p = shape_of(s.B, s.H, s.Hkv, s.N, s.dk, s.dv);
  p.S = s.S;
  p.dtype = s.dtype;
  p.decay_form = s.decay_form;
  p.threads = s.threads;
  p.method = method;
  snprintf(test_name, sizeof test_name, "method %d, %s", method, s.name);
  current_test = test_name;
  return p;
}

static leet_status run_once(Call *c, bool as_job) { return as_job ? call_job(c) : call_forward(c); }

static void nothing_lives() {
  expect(leet_workspace_release() == LEET_OK, "release");
  expect(leet_test_live_allocations() == 0, "%ld allocations leaked", leet_test_live_allocations());
}

/* The call with its k-th allocation failing. True when it asked for fewer than k, so that none failed. */
static bool fails_at(Call *c, const Call *clean, long k, bool forever, bool as_job, bool warm) {
  call_clear_outputs(c);
  call_remember(c);
  const long before = leet_test_allocations();
  leet_test_fail_allocation(k, forever);
  const leet_status status = run_once(c, as_job);
  leet_test_fail_allocation(0, 0);
  const long asked = leet_test_allocations() - before;
  if (status == LEET_OK) {
    expect(same_outputs(c, clean), "k %ld, forever %d, job %d: another result", k, forever, as_job);
  } else {
    expect(status == LEET_OUT_OF_MEMORY, "k %ld, forever %d, job %d: status %d", k, forever, as_job, status);
    expect(strstr(c->p.message, "memory") != nullptr, "k %ld: message '%s'", k, c->p.message);
    expect(call_unchanged(c), "k %ld, forever %d, job %d: an array changed", k, forever, as_job);
    expect(asked >= k, "k %ld: out of memory though none failed", k);
  }
  expect(k > 1 || warm || status == LEET_OUT_OF_MEMORY, "without the first allocation: status %d", status);
  expect(call_forward(c) == LEET_OK && same_outputs(c, clean), "k %ld: the next call: %s", k, c->p.message);
  return asked < k;
}

static void every_allocation(int shape, int method) {
  const leet_params p = params_of(shape, method);
  Call clean, c;
  call_new(&clean, &p);
  call_new(&c, &p);
  expect(call_forward(&clean) == LEET_OK && call_error_of(&clean) <= 1, "%s", clean.p.message);
  for (int mode = 0; mode < 8; mode++) {
    const bool forever = mode & 1, as_job = mode & 2, warm = mode & 4;
    bool passed_all = false;
    for (long k = 1; k <= 100 && !passed_all; k++) {
      if (!warm) nothing_lives();
      passed_all = fails_at(&c, &clean, k, forever, as_job, warm);
    }
    expect(passed_all, "forever %d, job %d: more than 100 allocations", forever, as_job);
    nothing_lives();
  }
  call_free(&clean);
  call_free(&c);
}

/* One thread: the first call allocates all. More: whoever comes late allocates then, and that is bounded too. */
static void repeated_calls(int shape, int method) {
  const leet_params p = params_of(shape, method);
  const int calls = 40;
  Call c;
  call_new(&c, &p);
  nothing_lives();
  const long before = leet_test_allocations();
  expect(call_forward(&c) == LEET_OK, "%s", c.p.message);
  const long after_first = leet_test_allocations();
  for (int i = 1; i < calls; i++) {
    if (call_forward(&c) != LEET_OK) expect(false, "call %d: %s", i, c.p.message);
  }
  const long after_all = leet_test_allocations();
  expect(p.threads > 1 || after_all == after_first, "%ld allocations after the first call", after_all - after_first);
  expect(after_all - before <= 2 * p.threads, "%ld allocations in %d calls on %d threads", after_all - before, calls,
         p.threads);
  uint64_t kept = 0;
  leet_cost cost = {};
  cost.struct_size = sizeof cost;
  expect(leet_workspace_bytes(&kept) == LEET_OK && leet_estimate(&c.p, &cost) == LEET_OK, "%s", c.p.message);
  expect((double)kept <= cost.workspace, "%llu bytes kept, leet_estimate said %.0f", (unsigned long long)kept,
         cost.workspace);
  nothing_lives();
  call_free(&c);
}

/* A block that became too small is replaced, neither used nor kept: growing shapes keep what the largest needs. */
static void growing_shapes(int method) {
  nothing_lives();
  double largest = 0;
  for (int64_t dk = 1; dk <= 70; dk++) {
    leet_params p = params_of(0, method);
    p.dk = dk;
    Call c;
    call_new(&c, &p);
    uint64_t kept = 0;
    leet_cost cost = {};
    cost.struct_size = sizeof cost;
    expect(call_forward(&c) == LEET_OK && call_error_of(&c) <= 1, "dk %d: %s", (int)dk, c.p.message);
    expect(leet_workspace_bytes(&kept) == LEET_OK && leet_estimate(&c.p, &cost) == LEET_OK, "%s", c.p.message);
    if (cost.workspace > largest) largest = cost.workspace;
    expect((double)kept == largest, "dk %d: %llu bytes kept, %.0f needed", (int)dk, (unsigned long long)kept, largest);
    expect(leet_test_live_allocations() == 1, "dk %d: %ld allocations live", (int)dk, leet_test_live_allocations());
    call_free(&c);
  }
  nothing_lives();
}

/* What allocates nothing cannot run out of memory. */
static void entries_without_memory() {
  current_test = "entries that allocate nothing";
  const long before = leet_test_allocations();
  leet_test_fail_allocation(1, 1);
  leet_params p = shape_of(1, 2, 2, 100, 64, 64);
  leet_cost cost = {};
  cost.struct_size = sizeof cost;
  leet_device_info device = {};
  device.struct_size = sizeof device;
  leet_method_info method = {};
  method.struct_size = sizeof method;
  char text[64];
  int32_t abi, done;
  uint64_t bytes;
  leet_status result;
  for (p.method = LEET_METHOD_AUTO; p.method <= LEET_METHOD_FLASH; p.method++) {
    expect(leet_estimate(&p, &cost) == LEET_OK, "%s", p.message);
  }
  expect(leet_device_get(0, &device) == LEET_OK, "leet_device_get");
  expect(leet_method_get(0, &method) == LEET_OK, "leet_method_get");
  expect(leet_version(text, sizeof text, &abi) == LEET_OK, "leet_version");
  expect(leet_status_text(LEET_OK, text, sizeof text) == LEET_OK, "leet_status_text");
  expect(leet_workspace_bytes(&bytes) == LEET_OK, "leet_workspace_bytes");
  expect(leet_workspace_release() == LEET_OK, "leet_workspace_release");
  expect(leet_job_poll(1, 0, &done, &result) == LEET_INVALID_INDEX, "leet_job_poll");
  leet_test_fail_allocation(0, 0);
  expect(leet_test_allocations() == before, "%ld allocations", leet_test_allocations() - before);
}

/* Without new threads the caller does the work; only a job cannot start. */
static void no_threads(int method) {
  for (int left = 0; left < 3; left++) {
    for (int shape = 0; shape < kShapeCount; shape++) {
      const leet_params p = params_of(shape, method);
      Call c;
      call_new(&c, &p);
      threads_left = 0;
      uint64_t job = 77;
      call_remember(&c);
      expect(call_start(&c, &job) == LEET_OUT_OF_MEMORY && job == 0, "a job without a thread: %s", c.p.message);
      expect(strstr(c.p.message, "thread") != nullptr && call_unchanged(&c), "message '%s'", c.p.message);
      threads_left = left;
      expect(call_forward(&c) == LEET_OK && call_error_of(&c) <= 1, "%d threads left: %s", left, c.p.message);
      threads_left = -1;
      nothing_lives();
      call_free(&c);
    }
  }
}

int main() {
  start_tests();
  alarm(600);                                                                     /* a hang is a failure */
  for (int method = 1; method <= LEET_METHOD_FLASH; method++) no_threads(method); /* first: workers stay once made */
  entries_without_memory();
  for (int method = 1; method <= LEET_METHOD_FLASH; method++) {
    for (int shape = 0; shape < kShapeCount; shape++) {
      every_allocation(shape, method);
      repeated_calls(shape, method);
    }
    growing_shapes(method);
  }
  return finish_tests();
}
