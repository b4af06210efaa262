/* What every C test shares: counting, random numbers, memory with guards. C11 and C++17. */
#ifndef LEET_TESTS_HARNESS_H
#define LEET_TESTS_HARNESS_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static long passed, failed;
static const char *current_test = "";

/* Counts one check. A failed one prints where it stands, the running test and a printf sentence. */
#define expect(condition, ...)                                      \
  do {                                                              \
    if (condition) {                                                \
      passed++;                                                     \
    } else {                                                        \
      failed++;                                                     \
      printf("FAIL %s:%d: %s: ", __FILE__, __LINE__, current_test); \
      printf(__VA_ARGS__);                                          \
      putchar('\n');                                                \
    }                                                               \
  } while (0)

static inline void on_crash(int number) {
  const char *parts[] = {"FAIL crashed (", number == SIGSEGV ? "SIGSEGV" : "SIGBUS", ") in: ", current_test, "\n"};
  for (int i = 0; i < 5; i++) {
    if (write(1, parts[i], strlen(parts[i])) < 0) break;
  }
  _exit(1);
}

/* Names the running test when an access hits a guard page. */
static inline void start_tests(void) {
  signal(SIGSEGV, on_crash);
  signal(SIGBUS, on_crash);
  setvbuf(stdout, NULL, _IOLBF, 0);
}

/* The last line and the exit code of a test program. */
static inline int finish_tests(void) {
  printf("%ld passed, %ld failed\n", passed, failed);
  return failed != 0 || passed == 0;
}

static inline uint64_t random_bits(uint64_t *seed) {
  *seed ^= *seed >> 12;
  *seed ^= *seed << 25;
  *seed ^= *seed >> 27;
  return *seed * 0x2545f4914f6cdd1dull;
}

/* Uniform in [low, high), a multiple of 2^-16 of the range. */
static inline float random_float(uint64_t *seed, float low, float high) {
  return low + (high - low) * (float)(random_bits(seed) >> 48) * 0x1p-16f;
}

/* An array that ends where an inaccessible page begins. What lies before it is filled with kGuard. */
typedef struct {
  unsigned char *map;
  size_t mapped; /* bytes, without the inaccessible page */
  void *data;
  size_t bytes;
  unsigned char *copy; /* of all mapped bytes, made by array_remember */
} Array;

enum { kGuard = 0xa5 };

static inline void array_new(Array *a, size_t bytes) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  a->bytes = bytes;
  a->mapped = (bytes + 64 + page - 1) / page * page;
  a->map = (unsigned char *)mmap(NULL, a->mapped + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (a->map == MAP_FAILED || mprotect(a->map + a->mapped, page, PROT_NONE) != 0) {
    perror("mmap");
    exit(1);
  }
  memset(a->map, kGuard, a->mapped);
  a->data = a->map + a->mapped - bytes;
  a->copy = (unsigned char *)malloc(a->mapped);
  if (a->copy == NULL) exit(1);
}

static inline void array_free(Array *a) {
  munmap(a->map, a->mapped + (size_t)sysconf(_SC_PAGESIZE));
  free(a->copy);
}

static inline void array_remember(Array *a) { memcpy(a->copy, a->map, a->mapped); }

/* Not one byte differs since array_remember, the guard before the array included. */
static inline int array_unchanged(const Array *a) { return memcmp(a->copy, a->map, a->mapped) == 0; }

/* The guard before the array is whole. */
static inline int array_guarded(const Array *a) {
  for (const unsigned char *byte = a->map; byte < (unsigned char *)a->data; byte++) {
    if (*byte != kGuard) return 0;
  }
  return 1;
}

#endif
