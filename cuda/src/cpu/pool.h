/* A small thread pool: numbered tasks, claimed in order, written results disjoint, so the number of threads never
 * changes a bit of the result. */
#ifndef LEET_CPU_POOL_H
#define LEET_CPU_POOL_H

#include <stddef.h>
#include <stdint.h>

namespace leet {

/* Tells the processor that this is a loop that waits. */
inline void pause_cpu() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/* Processors this process may run on. */
int processors();

/* Runs task(context, i, scratch) for i in [0, count) on at most `threads` threads, the caller's among them. Each
 * thread has `scratch_bytes` of its own, 64-byte aligned and uninitialised: the caller's is `own`, a worker that gets
 * none stays out. So this cannot fail. */
void parallel_for(int threads, int64_t count, size_t scratch_bytes, void *own,
                  void (*task)(void *context, int64_t i, void *scratch), void *context);

/* The same for a callable task(i, float *scratch). */
template <class Task>
void parallel(int threads, int64_t count, size_t scratch_bytes, void *own, const Task &task) {
  parallel_for(
      threads, count, scratch_bytes, own,
      [](void *context, int64_t i, void *scratch) { (*(const Task *)context)(i, (float *)scratch); }, (void *)&task);
}

}  // namespace leet
#endif
