// Short forms for tests that write a whole kernel in PTX: one kernel `k(in, out)` over buffers of 32-bit words.
#pragma once
#include <cstdio>
#include <cstring>

#include "device.h"

namespace isa {

using Words = std::vector<uint32_t>;

// `body` may use: %in %out (addresses), %t (thread), %o (address of this thread's word of out), %i (same of in),
// predicates %p<8>, 32-bit %r<40>, 64-bit %d<20>, 16-bit %h<8>, f32 %f<40>.
inline std::string kernelText(const std::string &body, const std::string &outside = "",
                              const std::string &variables = "") {
  return ptxHeader() + outside +
         ".visible .entry k(.param .u64 in, .param .u64 out)\n{\n"
         "  .reg .pred %p<8>;\n  .reg .b32 %r<40>, %t;\n  .reg .b64 %d<20>, %in, %out, %i, %o;\n  .reg .b16 %h<8>;\n  "
         ".reg .f32 %f<40>;\n" +
         variables +
         "  ld.param.u64 %in, [in];\n  ld.param.u64 %out, [out];\n  mov.u32 %t, %tid.x;\n"
         "  mul.wide.u32 %i, %t, 4;\n  add.u64 %o, %out, %i;\n  add.u64 %i, %in, %i;\n" +
         body + "\n  ret;\n}\n";
}

struct Outcome {
  int status = 0;  // of load, launch or wait
  Words out;
};

inline Outcome runKernel(const std::string &ptx, const Words &in, size_t outWords, Shape shape = {}) {
  Outcome r;
  {
    Module m(ptx);
    if (m.status) return {m.status, {}};
    Buffer<uint32_t> bin(in), bout(Words(outWords, 0));
    r.status = launch(m.function("k"), shape, {&bin.address, &bout.address});
    if (!r.status) r.out = bout.get();
  }
  if (r.status) renewContext();
  return r;
}

// Runs and compares; the difference as text, empty when there is none.
inline std::string check(const std::string &ptx, const Words &in, const Words &want, Shape shape = {}) {
  Outcome r = runKernel(ptx, in, want.size(), shape);
  if (r.status) return "error " + std::to_string(r.status) + " " + reportText();
  for (size_t k = 0; k < want.size(); ++k)
    if (r.out[k] != want[k]) {
      char text[120];
      snprintf(text, sizeof text, "word %zu is 0x%x, expected 0x%x", k, r.out[k], want[k]);
      return text;
    }
  return "";
}

inline Words iota(size_t n, uint32_t first = 0, uint32_t step = 1) {
  Words w(n);
  for (size_t k = 0; k < n; ++k) w[k] = first + static_cast<uint32_t>(k) * step;
  return w;
}

template <class F>
Words fill(size_t n, F f) {
  Words w(n);
  for (size_t k = 0; k < n; ++k) w[k] = f(static_cast<uint32_t>(k));
  return w;
}

inline uint32_t floatWord(float x) {
  uint32_t u;
  memcpy(&u, &x, sizeof u);
  return u;
}
inline float wordFloat(uint32_t u) {
  float x;
  memcpy(&x, &u, sizeof x);
  return x;
}

#define EXPECT_OUTPUT(ptx, in, want, ...)                               \
  do {                                                                  \
    std::string difference_ = isa::check(ptx, in, want, ##__VA_ARGS__); \
    EXPECT(difference_.empty(), difference_);                           \
  } while (0)

}  // namespace isa
