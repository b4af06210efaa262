#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "workspace.h"

namespace leet {

namespace {

const int kMaxWorkers = 1023;
/* Turns that a worker waits for the next batch, or a caller for the last worker, before it sleeps: some 20
 * microseconds, longer than the gap between the steps of one call and shorter than anything a scheduler would notice.
 */
const int kSpins = 4000;
/* Claims per thread: enough to share out evenly. A claim costs as much as a cache line from another core, which is more
 * than a decode step of a small head takes. */
const int64_t kClaims = 64;

struct Batch {
  Batch *next;
  void (*task)(void *, int64_t, void *);
  void *context;
  int64_t count;
  size_t scratch_bytes;
  int64_t grain;   /* tasks claimed at a time */
  int64_t claimed; /* atomic: next task number */
  int open_seats;  /* guarded by mutex: workers that may still join */
  int inside;      /* atomic, written with the mutex held: workers that joined and have not left */
};

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t work = PTHREAD_COND_INITIALIZER;
pthread_cond_t left = PTHREAD_COND_INITIALIZER;
Batch *batches;     /* guarded by mutex */
int workers;        /* guarded by mutex */
uint32_t published; /* atomic: counts published batches, so that waiting workers see a new one without the mutex */

void run_tasks(Batch *batch, void *scratch) {
  for (;;) {
    const int64_t first = __atomic_fetch_add(&batch->claimed, batch->grain, __ATOMIC_RELAXED);
    if (first >= batch->count) return;
    const int64_t left = batch->count - first, end = first + (left < batch->grain ? left : batch->grain);
    for (int64_t i = first; i < end; i++) batch->task(batch->context, i, scratch);
  }
}

Batch *open_batch() {
  for (Batch *b = batches; b; b = b->next) {
    if (b->open_seats > 0 && __atomic_load_n(&b->claimed, __ATOMIC_RELAXED) < b->count) return b;
  }
  return nullptr;
}

void *worker_main(void *) {
  pthread_mutex_lock(&mutex);
  for (;;) {
    Batch *batch = open_batch();
    if (batch == nullptr) {
      const uint32_t seen = __atomic_load_n(&published, __ATOMIC_RELAXED);
      pthread_mutex_unlock(&mutex);
      for (int i = 0; i < kSpins && __atomic_load_n(&published, __ATOMIC_RELAXED) == seen; i++) pause_cpu();
      pthread_mutex_lock(&mutex);
      if (open_batch() == nullptr && published == seen) pthread_cond_wait(&work, &mutex);
      continue;
    }
    batch->open_seats--;
    __atomic_add_fetch(&batch->inside, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&mutex);
    { /* given back before the batch may end, so that the caller finds it when its call is over */
      const Scratch scratch(batch->scratch_bytes);
      if (scratch.data()) run_tasks(batch, scratch.data());
    }
    pthread_mutex_lock(&mutex);
    if (__atomic_sub_fetch(&batch->inside, 1, __ATOMIC_RELAXED) == 0) pthread_cond_broadcast(&left);
  }
  return nullptr;
}

/* Called with the mutex held. Fewer threads than wanted is not an error: the caller does the rest. */
void ensure_workers(int wanted) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* signals belong to the host program's own threads */
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  while (workers < wanted && workers < kMaxWorkers) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, worker_main, nullptr) != 0) break;
    workers++;
  }
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

int processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  const int n = CPU_COUNT(&set);
  return n > 0 ? n : 1;
}

void parallel_for(int threads, int64_t count, size_t scratch_bytes, void *own, void (*task)(void *, int64_t, void *),
                  void *context) {
  if (count <= 0) return;
  const int64_t grain = count / (kClaims * (threads > 0 ? threads : 1));
  Batch batch = {nullptr, task, context, count, scratch_bytes, grain > 1 ? grain : 1, 0, 0, 0};
  const int helpers = (int)((int64_t)threads < count ? threads : count) - 1;
  if (helpers <= 0) {
    run_tasks(&batch, own);
    return;
  }
  pthread_mutex_lock(&mutex);
  ensure_workers(helpers);
  batch.open_seats = helpers;
  batch.next = batches;
  batches = &batch;
  __atomic_add_fetch(&published, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < helpers; i++) pthread_cond_signal(&work);
  pthread_mutex_unlock(&mutex);

  run_tasks(&batch, own);

  for (int i = 0; i < kSpins && __atomic_load_n(&batch.inside, __ATOMIC_RELAXED) > 0; i++) pause_cpu();
  pthread_mutex_lock(&mutex);
  Batch **link = &batches;
  while (*link != &batch) link = &(*link)->next;
  *link = batch.next;
  while (batch.inside > 0) pthread_cond_wait(&left, &mutex);
  pthread_mutex_unlock(&mutex);
}

}  // namespace leet
