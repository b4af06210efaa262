/* A library with the functions of leet.h that computes nothing: it reports what it was called with. */
#include "leet.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef PROBE_ABI
#define PROBE_ABI LEET_ABI_VERSION
#endif

#ifndef PROBE_VERSION_STATUS
#define PROBE_VERSION_STATUS LEET_OK
#endif

/* With flags = 1 the probe reads q[0] and k[0] as float32 and writes their sum to o[0]; it sleeps `threads` ms first.
 * method_used counts the calls. The message is the addresses in hexadecimal. */
leet_status leet_forward(leet_params *p, const void *q, const void *k, const void *v, const float *decay,
                         const int64_t *cu_seqlens, const float *initial_state, void *o, float *final_state) {
  static int32_t calls;
  const struct timespec pause = {p->threads / 1000, p->threads % 1000 * 1000000L};
  nanosleep(&pause, NULL);
  p->method_used = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
  const void *all[] = {q, k, v, decay, cu_seqlens, initial_state, o, final_state};
  int used = 0;
  for (int i = 0; i < 8; i++) {
    used += snprintf(p->message + used, sizeof p->message - used, i ? ",%llx" : "%llx",
                     (unsigned long long)(uintptr_t)all[i]);
  }
  if (p->flags == 1) ((float *)o)[0] = ((const float *)q)[0] + ((const float *)k)[0];
  return p->device_index;
}

struct job {
  leet_params *p;
  const void *q, *k, *v;
  const float *decay;
  const int64_t *cu_seqlens;
  const float *initial_state;
  void *o;
  float *final_state;
  leet_status result;
  int done;
};

static void *job_main(void *argument) {
  struct job *j = argument;
  j->result = leet_forward(j->p, j->q, j->k, j->v, j->decay, j->cu_seqlens, j->initial_state, j->o, j->final_state);
  __atomic_store_n(&j->done, 1, __ATOMIC_RELEASE);
  return NULL;
}

leet_status leet_forward_start(leet_params *p, const void *q, const void *k, const void *v, const float *decay,
                               const int64_t *cu_seqlens, const float *initial_state, void *o, float *final_state,
                               uint64_t *job) {
  if (p->struct_size != sizeof *p) return LEET_INVALID_STRUCT_SIZE;
  struct job *j = malloc(sizeof *j);
  *j = (struct job){p, q, k, v, decay, cu_seqlens, initial_state, o, final_state, 0, 0};
  *job = (uint64_t)(uintptr_t)j;
  pthread_t thread;
  if (pthread_create(&thread, NULL, job_main, j)) return LEET_OUT_OF_MEMORY;
  pthread_detach(thread);
  return LEET_OK;
}

/* A handle with its top bit set is no job: the two integers are written out for the test of their widths. */
leet_status leet_job_poll(uint64_t job, int64_t wait_us, int32_t *done, leet_status *result) {
  if (job >> 63) {
    memcpy(done, &job, sizeof job);
    memcpy(result, &wait_us, sizeof wait_us);
    return LEET_OK;
  }
  struct job *j = (struct job *)(uintptr_t)job;
  const struct timespec pause = {0, 100000};
  while (wait_us < 0 && !__atomic_load_n(&j->done, __ATOMIC_ACQUIRE)) nanosleep(&pause, NULL);
  *done = __atomic_load_n(&j->done, __ATOMIC_ACQUIRE);
  if (*done) {
    *result = j->result;
    free(j);
  }
  return LEET_OK;
}

leet_status leet_estimate(leet_params *p, leet_cost *cost) {
  cost->flops = (double)p->N;
  return LEET_OK;
}

leet_status leet_device_get(int32_t index, leet_device_info *info) {
  info->device_index = index;
  snprintf(info->name, sizeof info->name, "probe %d", index);
  return LEET_OK;
}

leet_status leet_method_get(int32_t index, leet_method_info *info) {
  info->method = index;
  return LEET_OK;
}

leet_status leet_status_text(leet_status status, char *text, int32_t bytes) {
  if (status == 12345) return LEET_INVALID_INDEX;
  snprintf(text, bytes, "%d of %d bytes", status, bytes);
  return LEET_OK;
}

leet_status leet_version(char *text, int32_t bytes, int32_t *abi) {
  snprintf(text, bytes, "0.0.0 probe");
  *abi = PROBE_ABI;
  return PROBE_VERSION_STATUS;
}

leet_status leet_workspace_bytes(uint64_t *bytes) {
  *bytes = 1ull << 40;
  return LEET_OK;
}

leet_status leet_workspace_release(void) { return LEET_OK; }
