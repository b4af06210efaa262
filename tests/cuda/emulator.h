/* The emulated driver's functions that no real driver has. On a real driver they are missing and every one is a no-op.
 */
#ifndef LEET_TESTS_CUDA_EMULATOR_H
#define LEET_TESTS_CUDA_EMULATOR_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
  int (*configure)(const char *key, const char *value);
  int (*report)(char *out, int bytes);
  int (*counters)(char *out, int bytes);
  void (*reset)(void);
  void (*lines)(const char *kernel, unsigned long long *counts, int lines);
} Emulator;

/* Opens the library that LEET_CUDA_DRIVER names, which libleet.so will find already loaded. */
static inline Emulator emulator_open(void) {
  Emulator e = {NULL, NULL, NULL, NULL, NULL};
  const char *path = getenv("LEET_CUDA_DRIVER");
  void *library = dlopen(path ? path : "libcuda.so.1", RTLD_NOW);
  if (library == NULL) {
    printf("FAIL no CUDA driver: %s\n", dlerror());
    exit(1);
  }
  *(void **)&e.configure = dlsym(library, "leetemu_configure");
  *(void **)&e.report = dlsym(library, "leetemu_report");
  *(void **)&e.counters = dlsym(library, "leetemu_counters");
  *(void **)&e.reset = dlsym(library, "leetemu_reset");
  *(void **)&e.lines = dlsym(library, "leetemu_lines");
  return e;
}

static inline int emulated(const Emulator *e) { return e->configure != NULL; }

/* Sets one key of the emulator; unknown keys and bad values end the test. */
static inline void emulator_set(const Emulator *e, const char *key, const char *value) {
  if (!emulated(e)) return;
  if (e->configure(key, value) != 0) {
    printf("FAIL the emulator refuses %s=%s\n", key, value);
    exit(1);
  }
}

#endif
