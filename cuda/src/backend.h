/* The seam between the C ABI and the devices. Nothing above it knows which device it talks to. */
#ifndef LEET_BACKEND_H
#define LEET_BACKEND_H

#include "problem.h"

namespace leet {

struct Cost {
  double flops, bytes, workspace, seconds;
};

struct Backend {
  int device;       /* LEET_DEVICE_* */
  const char *name; /* for messages and leet_version */
  /* Writes what was built in, such as "cpu(scalar,avx2)". */
  void (*describe)(char *text, int bytes);
  int (*count)();
  leet_status (*info)(int index, leet_device_info *info);
  /* LEET_OK, or why not with a sentence in p->message. Called before run. */
  leet_status (*supports)(leet_params *p, const Problem &problem, int index);
  /* What the problem costs with problem.method. */
  Cost (*cost)(const Problem &problem, int index);
  /* Runs problem.method; the pointers are checked. */
  leet_status (*run)(leet_params *p, const Problem &problem, int index);
};

extern const Backend cpu_backend;

/* All backends of this build, in order of preference for LEET_DEVICE_AUTO last to first; the CPU is number 0. */
const int kBackends = 1;
extern const Backend *const backends[kBackends];

}  // namespace leet
#endif
