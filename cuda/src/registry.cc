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

namespace {

/* No device beside the CPU does a problem on host arrays in less, copies and a launch included. What the CPU does
 * sooner is not worth looking for another device, which the first time takes a while. */
const double kAwaySeconds = 20e-6;

double seconds_of(const Problem &problem, const Choice &choice) {
  Problem chosen = problem;
  chosen.method = choice.method;
  return choice.backend->cost(chosen, choice.index).seconds;
}

/* The device with the method that was asked for; auto: the cheapest that it takes, ties go to the lower id. */
leet_status choose_on(leet_params *p, const Problem &problem, const Backend &backend, int index, Choice *choice) {
  *choice = {&backend, index, problem.method};
  if (problem.method != LEET_METHOD_AUTO) return backend.supports(p, problem, index);
  leet_status refusal = LEET_OK;
  double least = 0;
  for (const MethodName &m : methods) {
    Problem trial = problem;
    trial.method = m.id;
    const leet_status status = backend.supports(p, trial, index);
    if (status != LEET_OK) {
      refusal = status;
      continue;
    }
    const double seconds = backend.cost(trial, index).seconds;
    if (choice->method == LEET_METHOD_AUTO || seconds < least) {
      choice->method = m.id;
      least = seconds;
    }
  }
  if (choice->method == LEET_METHOD_AUTO) return refusal;
  p->message[0] = 0;
  return LEET_OK;
}

leet_status choose_any(leet_params *p, const Problem &problem, Choice *choice) {
  const leet_status status = choose_on(p, problem, *backends[0], 0, choice);
  bool found = status == LEET_OK;
  double least = found ? seconds_of(problem, *choice) : 0;
  if (found && least < kAwaySeconds) return status;
  for (int i = 1; i < kBackends; i++) {
    const int count = backends[i]->count();
    for (int index = 0; index < count; index++) {
      leet_params unheard = {};
      Choice other;
      if (choose_on(&unheard, problem, *backends[i], index, &other) != LEET_OK) continue;
      const double seconds = seconds_of(problem, other);
      if (!found || seconds < least) {
        *choice = other;
        least = seconds;
        found = true;
      }
      break; /* the first that can: opening every GPU of the machine would cost each of them memory */
    }
  }
  if (!found) return status;
  p->message[0] = 0;
  return LEET_OK;
}

void report(leet_params *p, const Choice &choice) {
  report_used(p, choice.method, choice.backend->device, choice.index);
}

leet_status run_on(leet_params *p, const Problem &problem, const Choice &choice) {
  Problem chosen = problem;
  chosen.method = choice.method;
  return choice.backend->run(p, chosen, choice.index);
}

}  // namespace

leet_status choose(leet_params *p, const Problem &problem, Choice *choice) {
  if (p->device == LEET_DEVICE_AUTO) {
    const leet_status status = choose_any(p, problem, choice);
    if (status == LEET_OK) report(p, *choice);
    return status;
  }
  for (const Backend *b : backends) {
    if (b->device != p->device) continue;
    const int index = p->flags == LEET_FLAG_MODEL_H100 ? kModelledDevice : p->device_index;
    const leet_status status = choose_on(p, problem, *b, index, choice);
    if (status == LEET_OK) report(p, *choice);
    return status;
  }
  return refuse(p, LEET_UNSUPPORTED_DEVICE,
                "device: this libleet.so was built for the CPU only; cuda needs one built with nvcc");
}

leet_status run_choice(leet_params *p, const Problem &problem, const Choice &choice) {
  const leet_status status = run_on(p, problem, choice);
  if (status == LEET_OK || p->device != LEET_DEVICE_AUTO || choice.backend == backends[0]) return status;
  leet_params unheard = {};
  Choice cpu;
  if (choose_on(&unheard, problem, *backends[0], 0, &cpu) != LEET_OK) return status;
  p->message[0] = 0;
  report(p, cpu);
  return run_on(p, problem, cpu);
}

}  // namespace leet
