/* Vectors of 16 floats: AVX-512 F, BW, DQ, VL. Same names in every vec_*.h; see kernels/vec.inc. */

constexpr int W = 16;               /* floats per vector */
constexpr int kRows = 8, kVecs = 2; /* register tile: 16 of 32 registers accumulate, enough to hide FMA latency */
constexpr int kChunk = 32;          /* tokens per chunk of flash */
typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));
typedef uint16_t vh __attribute__((vector_size(32)));

LEET_INLINE vf madd(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
LEET_INLINE vf fma_exact(vf a, vf b, vf c) { return madd(a, b, c); }
LEET_INLINE vf from_f16(vh x) { return (vf)_mm512_cvtph_ps((__m256i)x); }
LEET_INLINE vh to_f16(vf x) { return (vh)_mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
LEET_INLINE vf load_part(const float *p, int n) { return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
LEET_INLINE void store_part(float *p, vf x, int n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)x); }

/* In two halves, for arrays that lie anywhere: nearly every whole access would cross a cache line, and the compiler
 * would rather load again than keep the register. */
LEET_INLINE vf load_split(const float *p) {
  return (vf)_mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(p)), _mm256_loadu_ps(p + 8), 1);
}
LEET_INLINE void store_split(float *p, vf x) {
  _mm256_storeu_ps(p, _mm512_castps512_ps256((__m512)x));
  _mm256_storeu_ps(p + 8, _mm512_extractf32x8_ps((__m512)x, 1));
}
