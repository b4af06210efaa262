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

/* Where and how a problem runs. */
struct Choice {
  const Backend *backend;
  int index;  /* of the device among those of the backend */
  int method; /* LEET_METHOD_* but AUTO */
};

/* The device that p->device asks for and the method that problem.method asks for, or a refusal; `auto` of either is the
 * cheapest by the cost models. Reports the choice in *p. */
leet_status choose(leet_params *p, const Problem &problem, Choice *choice);

/* Runs the choice. When the caller left the device to us and another than the CPU fails, the CPU does it: it writes
 * every element of the outputs again, and the failing device has changed no input. */
leet_status run_choice(leet_params *p, const Problem &problem, const Choice &choice);

}  // namespace leet
#endif
