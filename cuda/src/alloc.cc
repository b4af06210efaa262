#include "alloc.h"

#include <stdlib.h>

namespace leet {

#ifdef LEET_TEST_HOOKS

static long fail_countdown, asked, live;
static int fail_forever;

extern "C" __attribute__((visibility("default"))) void leet_test_fail_allocation(long nth, int forever) {
  __atomic_store_n(&fail_forever, forever, __ATOMIC_SEQ_CST);
  __atomic_store_n(&fail_countdown, nth, __ATOMIC_SEQ_CST);
}

extern "C" __attribute__((visibility("default"))) long leet_test_live_allocations(void) {
  return __atomic_load_n(&live, __ATOMIC_SEQ_CST);
}

extern "C" __attribute__((visibility("default"))) long leet_test_allocations(void) {
  return __atomic_load_n(&asked, __ATOMIC_SEQ_CST);
}

static bool must_fail() {
  __atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
  long left = __atomic_load_n(&fail_countdown, __ATOMIC_SEQ_CST);
  do {
    if (left == 0) return false;
    if (left == 1 && __atomic_load_n(&fail_forever, __ATOMIC_SEQ_CST)) return true;
  } while (!__atomic_compare_exchange_n(&fail_countdown, &left, left - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  return left == 1;
}

static void count(long change) { __atomic_add_fetch(&live, change, __ATOMIC_SEQ_CST); }

#else
static bool must_fail() { return false; }
static void count(long) {}
#endif

void *allocate(size_t bytes) {
  if (must_fail()) return nullptr;
  void *memory = nullptr;
  if (posix_memalign(&memory, 64, bytes ? bytes : 64) != 0) return nullptr;
  count(1);
  return memory;
}

void release(void *memory) {
  if (memory == nullptr) return;
  count(-1);
  free(memory);
}

}  // namespace leet
