/* The C-ABI entries: check, choose, call. No arithmetic here. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "jobs.h"
#include "registry.h"

using namespace leet;

namespace {

/* A checked call, and what it runs on; the work of a job. */
struct Call {
  leet_params *p;
  Problem problem;
  Choice choice;

  leet_status run() { return run_choice(p, problem, choice); }
};

/* Checks and choices shared by every entry that takes a leet_params. */
leet_status prepare(leet_params *p, Call *call) {
  memset(call, 0, sizeof *call);
  call->p = p;
  const leet_status status = check_params(p, &call->problem);
  return status == LEET_OK ? choose(p, call->problem, &call->choice) : status;
}

/* The same for what is going to run. */
leet_status prepare_run(leet_params *p, Call *call) {
  const leet_status status = prepare(p, call);
  if (status != LEET_OK || p->flags != LEET_FLAG_MODEL_H100) return status;
  return refuse(p, LEET_INVALID_FLAGS, "flags: expected LEET_FLAG_MODEL_H100 (4) in leet_estimate only");
}

leet_status bad_out(const void *out, uint32_t size, uint32_t expected) {
  if (out == nullptr) return LEET_INVALID_POINTER;
  return size == expected ? LEET_OK : LEET_INVALID_STRUCT_SIZE;
}

}  // namespace

extern "C" leet_status leet_forward(leet_params *p, const void *q, const void *k, const void *v, const float *decay,
                                    const int64_t *cu_seqlens, const float *initial_state, void *o,
                                    float *final_state) {
  Call call;
  leet_status status = prepare_run(p, &call);
  if (status != LEET_OK) return status;
  status = check_arrays(p, &call.problem, q, k, v, decay, cu_seqlens, initial_state, o, final_state);
  return status == LEET_OK ? call.run() : status;
}

extern "C" leet_status leet_forward_start(leet_params *p, const void *q, const void *k, const void *v,
                                          const float *decay, const int64_t *cu_seqlens, const float *initial_state,
                                          void *o, float *final_state, uint64_t *job) {
  if (job != nullptr) *job = 0;
  Call call;
  leet_status status = prepare_run(p, &call);
  if (status != LEET_OK) return status;
  if (job == nullptr) return refuse(p, LEET_INVALID_POINTER, "job: expected a place for the handle, got NULL");
  status = check_arrays(p, &call.problem, q, k, v, decay, cu_seqlens, initial_state, o, final_state);
  return status == LEET_OK ? start_job(p, call, job) : status;
}

extern "C" leet_status leet_job_poll(uint64_t job, int64_t wait_us, int32_t *done, leet_status *result) {
  if (done == nullptr || result == nullptr) return LEET_INVALID_POINTER;
  return poll_job(job, wait_us, done, result);
}

extern "C" leet_status leet_estimate(leet_params *p, leet_cost *cost) {
  Call call;
  leet_status status = prepare(p, &call);
  if (status != LEET_OK) return status;
  if (cost == nullptr) return refuse(p, LEET_INVALID_POINTER, "cost: expected a place for the figures, got NULL");
  if (cost->struct_size != sizeof *cost) {
    return refuse(p, LEET_INVALID_STRUCT_SIZE, "cost->struct_size: expected %u, got %u", (unsigned)sizeof *cost,
                  cost->struct_size);
  }
  call.problem.method = call.choice.method;
  const Cost c = call.choice.backend->cost(call.problem, call.choice.index);
  cost->method = call.choice.method;
  cost->flops = c.flops;
  cost->bytes = c.bytes;
  cost->workspace = c.workspace;
  cost->seconds = c.seconds;
  return LEET_OK;
}

extern "C" leet_status leet_device_get(int32_t index, leet_device_info *info) {
  const leet_status status = bad_out(info, info ? info->struct_size : 0, sizeof *info);
  if (status != LEET_OK) return status;
  if (index < 0) return LEET_INVALID_INDEX;
  for (const Backend *b : backends) {
    const int count = b->count();
    if (index < count) return b->info(index, info);
    index -= count;
  }
  return LEET_INVALID_INDEX;
}

extern "C" leet_status leet_method_get(int32_t index, leet_method_info *info) {
  const leet_status status = bad_out(info, info ? info->struct_size : 0, sizeof *info);
  if (status != LEET_OK) return status;
  if (index < 0 || index >= kMethods) return LEET_INVALID_INDEX;
  info->method = methods[index].id;
  snprintf(info->name, sizeof info->name, "%s", methods[index].name);
  snprintf(info->text, sizeof info->text, "%s", methods[index].text);
  return LEET_OK;
}

extern "C" leet_status leet_version(char *text, int32_t bytes, int32_t *abi) {
  if (text == nullptr || bytes <= 0 || abi == nullptr) return LEET_INVALID_POINTER;
  *abi = LEET_ABI_VERSION;
  char built[256] = "";
  size_t used = 0;
  for (const Backend *b : backends) {
    char one[128];
    b->describe(one, sizeof one);
    used += (size_t)snprintf(built + used, sizeof built - used, " %s", one);
    if (used >= sizeof built) break;
  }
  snprintf(text, (size_t)bytes, "%s%s", LEET_VERSION, built);
  return LEET_OK;
}

extern "C" leet_status leet_workspace_bytes(uint64_t *bytes) {
  if (bytes == nullptr) return LEET_INVALID_POINTER;
  *bytes = 0;
  for (const Backend *b : backends) *bytes += b->kept();
  return LEET_OK;
}

extern "C" leet_status leet_workspace_release(void) {
  for (const Backend *b : backends) b->release_kept();
  return LEET_OK;
}
