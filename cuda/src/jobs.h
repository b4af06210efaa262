/* leet_forward on threads of the library, for callers that must not block. */
#ifndef LEET_JOBS_H
#define LEET_JOBS_H

#include "backend.h"

namespace leet {

/* Starts backend.run(p, problem) on a new thread. */
leet_status start_job(leet_params *p, const Problem &problem, const Backend &backend, uint64_t *job);

/* leet_job_poll. */
leet_status poll_job(uint64_t job, int64_t wait_us, int32_t *done, leet_status *result);

}  // namespace leet
#endif
