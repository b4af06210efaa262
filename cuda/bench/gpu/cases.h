/* What the benchmark runs, in the order of what matters most. */
#ifndef GPU_CHECK_CASES_H
#define GPU_CHECK_CASES_H

#include <stdint.h>

#include <string>
#include <vector>

namespace gpu_check {

enum Kind { kPrefill, kDecode, kHost }; /* host: host arrays, their copies included */

/* Decays of the heads: RetNet's 1 - 2^(-5 .. -12), Lightning Attention's exp(-2^(-8 (h + 1) / H)), or random gates. */
enum Decays { kRetnet, kLightning, kGates };

struct Case {
  Kind kind;
  int method, dtype; /* LEET_* */
  Decays decays;
  int64_t B, H, N, d; /* Hkv = H, dk = dv = d; decode: N = 1, the state in place */
};

extern const char *const kKindNames[3];
extern const char *const kDecayNames[3];
extern const char *const kTypeNames[3];

/* The id of a method, from the library. */
std::string method_name(int method);

/* mode: quick, full or tiny. methods: names with commas between, or "all". */
std::vector<Case> cases_of(const std::string &mode, const std::string &methods);

/* As the reproducer line of a report has it. */
std::string text_of(const Case &c);

}  // namespace gpu_check
#endif
