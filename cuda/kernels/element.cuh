/* Storage types. Arithmetic is float32 whatever the storage. */
#pragma once
#include <stdint.h>

namespace leet {
namespace gpu {

struct F32 {
  typedef float T;
  static __device__ __forceinline__ float get(T x) { return x; }
  static __device__ __forceinline__ T put(float x) { return x; }
};

struct F16 {
  typedef uint16_t T;
  static __device__ __forceinline__ float get(T x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
    return y;
  }
  /* Round to nearest even; beyond the range an infinity. */
  static __device__ __forceinline__ T put(float x) {
    T y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
  }
};

struct BF16 {
  typedef uint16_t T;
  static __device__ __forceinline__ float get(T x) { return __uint_as_float((uint32_t)x << 16); }
  static __device__ __forceinline__ T put(float x) {
    T y;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
  }
};

}  // namespace gpu
}  // namespace leet
