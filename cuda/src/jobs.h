/* Work on threads of the library, for callers that must not block. */
#ifndef LEET_JOBS_H
#define LEET_JOBS_H

#include <stddef.h>

#include "problem.h"

namespace leet {

/* A job's work; its return value is the job's result. */
typedef leet_status (*JobRun)(void *work);

/* Copies the `bytes` of work and starts run(copy) on a new thread. A refusal is written to p->message. */
leet_status start_job(leet_params *p, JobRun run, const void *work, size_t bytes, uint64_t *job);

/* The same for work.run(), where a copy of the bytes is a copy. */
template <class Work>
leet_status start_job(leet_params *p, const Work &work, uint64_t *job) {
  return start_job(
      p, [](void *copy) { return ((Work *)copy)->run(); }, &work, sizeof work, job);
}

/* leet_job_poll. */
leet_status poll_job(uint64_t job, int64_t wait_us, int32_t *done, leet_status *result);

}  // namespace leet
#endif
