#include "jobs.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "alloc.h"
#include "check.h"

namespace leet {

namespace {

/* The work follows, aligned as the job is. */
struct alignas(64) Job {
  Job *next;
  uint64_t handle;
  JobRun run;
  leet_status result;
  bool ended;
};

/* Guards the list and every `ended`; signalled at each end. */
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t any_end;
Job *running;
uint64_t last_handle;

/* Waits are measured by a clock that nobody sets: a change of the wall clock neither ends nor prolongs them. */
const clockid_t kClock = CLOCK_MONOTONIC;
pthread_once_t once = PTHREAD_ONCE_INIT;

void make_condition() {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, kClock);
  pthread_cond_init(&any_end, &attributes);
  pthread_condattr_destroy(&attributes);
}

void *thread_main(void *argument) {
  Job *job = (Job *)argument;
  const leet_status result = job->run(job + 1);
  pthread_mutex_lock(&mutex);
  job->result = result;
  job->ended = true;
  pthread_cond_broadcast(&any_end);
  pthread_mutex_unlock(&mutex);
  return nullptr;
}

Job **find(uint64_t handle) {
  for (Job **link = &running; *link; link = &(*link)->next) {
    if ((*link)->handle == handle) return link;
  }
  return nullptr;
}

}  // namespace

leet_status start_job(leet_params *p, JobRun run, const void *work, size_t bytes, uint64_t *handle) {
  Job *job = (Job *)allocate(sizeof(Job) + bytes);
  if (job == nullptr) return refuse(p, LEET_OUT_OF_MEMORY, "no memory for a job of %d bytes", (int)bytes);
  *job = {nullptr, 0, run, LEET_INTERNAL, false};
  memcpy(job + 1, work, bytes);
  pthread_once(&once, make_condition);
  pthread_mutex_lock(&mutex);
  job->handle = ++last_handle;
  job->next = running;
  running = job;
  /* The thread may end and a poller may free the job before this function goes on: keep what is needed. */
  *handle = job->handle;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before); /* signals belong to the host program's own threads */
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  const int failed = pthread_create(&thread, &attributes, thread_main, job);
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failed) {
    running = job->next;
    release(job);
    *handle = 0;
  }
  pthread_mutex_unlock(&mutex);
  return failed ? refuse(p, LEET_OUT_OF_MEMORY, "the system gave no thread for a job (error %d)", failed) : LEET_OK;
}

leet_status poll_job(uint64_t handle, int64_t wait_us, int32_t *done, leet_status *result) {
  *done = 0;
  *result = LEET_OK;
  pthread_once(&once, make_condition);
  timespec until;
  clock_gettime(kClock, &until);
  if (wait_us > 0) {
    until.tv_sec += (time_t)(wait_us / 1000000);
    until.tv_nsec += (long)(wait_us % 1000000) * 1000;
    if (until.tv_nsec >= 1000000000) {
      until.tv_sec += 1;
      until.tv_nsec -= 1000000000;
    }
  }
  leet_status status = LEET_OK;
  pthread_mutex_lock(&mutex);
  for (;;) {
    Job **link = find(handle);
    if (link == nullptr) {
      status = LEET_INVALID_INDEX;
      break;
    }
    if ((*link)->ended) {
      Job *job = *link;
      *link = job->next;
      *done = 1;
      *result = job->result;
      release(job);
      break;
    }
    if (wait_us == 0) break;
    if (wait_us < 0) {
      pthread_cond_wait(&any_end, &mutex);
    } else if (pthread_cond_timedwait(&any_end, &mutex, &until) == ETIMEDOUT) {
      wait_us = 0;
    }
  }
  pthread_mutex_unlock(&mutex);
  return status;
}

}  // namespace leet
