/* Vectors of 4 floats: Advanced SIMD of AArch64. Same names in every vec_*.h; see kernels/vec.inc. */

constexpr int W = 4;
constexpr int kRows = 6, kVecs = 4; /* 24 of 32 registers accumulate */
constexpr int kChunk = 48;
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef uint16_t vh __attribute__((vector_size(8)));

LEET_INLINE vf madd(vf a, vf b, vf c) { return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
LEET_INLINE vf fma_exact(vf a, vf b, vf c) { return madd(a, b, c); }
LEET_INLINE vf from_f16(vh x) { return (vf)vcvt_f32_f16((float16x4_t)x); }
LEET_INLINE vh to_f16(vf x) { return (vh)vcvt_f16_f32((float32x4_t)x); }
LEET_INLINE vf load_part(const float *p, int n) { return load_part_by_copy<vf>(p, n); }
LEET_INLINE void store_part(float *p, vf x, int n) { store_part_by_copy(p, x, n); }
LEET_INLINE vf load_split(const float *p) { return (vf)vld1q_f32(p); } /* see vec_avx512.h */
LEET_INLINE void store_split(float *p, vf x) { vst1q_f32(p, (float32x4_t)x); }
