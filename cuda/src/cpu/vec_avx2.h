/* Vectors of 8 floats: AVX2, FMA, F16C. Same names in every vec_*.h; see kernels/vec.inc. */

constexpr int W = 8;
constexpr int kRows = 6, kVecs = 2; /* 12 of 16 registers accumulate */
constexpr int kChunk = 48;
typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));
typedef uint16_t vh __attribute__((vector_size(16)));

LEET_INLINE vf madd(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
LEET_INLINE vf fma_exact(vf a, vf b, vf c) { return madd(a, b, c); }
LEET_INLINE vf from_f16(vh x) { return (vf)_mm256_cvtph_ps((__m128i)x); }
LEET_INLINE vh to_f16(vf x) { return (vh)_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
LEET_INLINE vf load_part(const float *p, int n) { return load_part_by_copy<vf>(p, n); }
LEET_INLINE void store_part(float *p, vf x, int n) { store_part_by_copy(p, x, n); }
LEET_INLINE vf load_split(const float *p) { return (vf)_mm256_loadu_ps(p); } /* see vec_avx512.h */
LEET_INLINE void store_split(float *p, vf x) { _mm256_storeu_ps(p, (__m256)x); }
