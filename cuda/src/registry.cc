#include "registry.h"

#include "check.h"

namespace leet {

const MethodName methods[kMethods] = {
#define LEET_METHOD(id, NAME, name, text) {id, #name, text},
#include "methods.def"
#undef LEET_METHOD
};

const Backend *const backends[kBackends] = {&cpu_backend};

leet_status choose_backend(leet_params *p, const Backend **backend) {
  if (p->device == LEET_DEVICE_AUTO) {
    *backend = backends[0];
    return LEET_OK;
  }
  for (const Backend *b : backends) {
    if (b->device != p->device) continue;
    if (p->device_index < b->count()) {
      *backend = b;
      return LEET_OK;
    }
    return refuse(p, LEET_UNSUPPORTED_DEVICE, "device: expected an index below %d for %s, got %d", b->count(), b->name,
                  p->device_index);
  }
  return refuse(p, LEET_UNSUPPORTED_DEVICE,
                "device: this libleet.so was built for the CPU only; cuda needs one built with nvcc");
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
