/* The only place that asks the system for memory. */
#ifndef LEET_ALLOC_H
#define LEET_ALLOC_H

#include <stddef.h>

namespace leet {

/* Zeroed nowhere, aligned to 64 bytes; nullptr when memory ran out. Free with release. */
void *allocate(size_t bytes);
void release(void *memory);

#ifdef LEET_TEST_HOOKS
/* Test builds: the nth allocation from now (1 = next) fails; with `forever` every later one too. 0 = none fails. */
extern "C" void leet_test_fail_allocation(long nth, int forever);
/* Allocations not yet released. */
extern "C" long leet_test_live_allocations(void);
/* Allocations asked for so far, failed ones included. */
extern "C" long leet_test_allocations(void);
#endif

}  // namespace leet
#endif
