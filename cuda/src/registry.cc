#include "registry.h"

#include "check.h"

namespace leet {

const MethodName methods[kMethods] = {
#define LEET_METHOD(id, NAME, name, text) {id, #name, text},
#include "methods.def"
#undef LEET_METHOD
};

const Backend *const backends[kBackends] = {
    &cpu_backend,
#if defined(LEET_CUDA_IMAGES)
    &cuda_backend,
#endif
};

leet_status choose_backend(leet_params *p, const Problem &problem, const Backend **backend) {
  if (p->device == LEET_DEVICE_AUTO) {
    for (int i = kBackends - 1; i > 0; i--) {
      if (backends[i]->count() == 0 || backends[i]->supports(p, problem, 0) != LEET_OK) continue;
      *backend = backends[i];
      return LEET_OK;
    }
    p->message[0] = 0;
    *backend = backends[0];
    return backends[0]->supports(p, problem, 0);
  }
  for (const Backend *b : backends) {
    if (b->device != p->device) continue;
    *backend = b;
    return b->supports(p, problem, p->device_index);
  }
  return refuse(p, LEET_UNSUPPORTED_DEVICE,
                "device: this libleet.so was built for the CPU only; cuda needs one built with nvcc");
}

leet_status run_problem(leet_params *p, const Problem &problem, const Backend &backend) {
  const leet_status status = backend.run(p, problem, p->device_index);
  if (status == LEET_OK || p->device != LEET_DEVICE_AUTO || &backend == backends[0]) return status;
  p->message[0] = 0;
  const leet_status able = backends[0]->supports(p, problem, 0);
  return able == LEET_OK ? backends[0]->run(p, problem, 0) : able;
}

int choose_method(const Backend &backend, const Problem &problem, int index) {
  Problem trial = problem;
  int best = LEET_METHOD_FLASH;
  double best_seconds = 1e300;
  for (const MethodName &m : methods) {
    trial.method = m.id;
    const double seconds = backend.cost(trial, index).seconds;
    if (seconds < best_seconds) {
      best_seconds = seconds;
      best = m.id;
    }
  }
  return best;
}

}  // namespace leet
