/* Which method and which device: the tables and the one choice function. */
#ifndef LEET_REGISTRY_H
#define LEET_REGISTRY_H

#include "backend.h"

namespace leet {

const int kMethods = LEET_METHOD_FLASH;

struct MethodName {
  int id;
  const char *name, *text;
};

/* Entry i has id i + 1. */
extern const MethodName methods[kMethods];

/* The backend p->device asks for, or a refusal. LEET_DEVICE_AUTO is the last one that has a device and takes the
 * problem. */
leet_status choose_backend(leet_params *p, const Problem &problem, const Backend **backend);

/* Runs problem.method. When the caller left the device to us and another than the CPU fails, the CPU does it. */
leet_status run_problem(leet_params *p, const Problem &problem, const Backend &backend);

/* The cheapest method by the backend's cost model; ties go to the lower id. */
int choose_method(const Backend &backend, const Problem &problem, int index);

}  // namespace leet
#endif
