/* No instruction set beyond the compiler's baseline: four floats the compiler may keep in any way it likes. Same names
 * in every vec_*.h; see kernels/vec.inc. */

constexpr int W = 4;
constexpr int kRows = 4, kVecs = 2;
constexpr int kChunk = 32;
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef uint16_t vh __attribute__((vector_size(8)));

LEET_INLINE vf madd(vf a, vf b, vf c) { return a * b + c; }

/* The product of two floats is exact in double, so only the sum rounds, as in a fused multiply-add. */
LEET_INLINE vf fma_exact(vf a, vf b, vf c) {
  vf x;
  for (int i = 0; i < W; i++) x[i] = (float)((double)a[i] * (double)b[i] + (double)c[i]);
  return x;
}

LEET_INLINE vf from_f16(vh x) {
  vf y;
  for (int i = 0; i < W; i++) {
    const uint32_t sign = (uint32_t)(x[i] & 0x8000) << 16, magnitude = (uint32_t)(x[i] & 0x7fff) << 13;
    float value;
    if (magnitude >= 0x0f800000) { /* infinity, NaN */
      const uint32_t bits = 0x70000000 + magnitude;
      __builtin_memcpy(&value, &bits, 4);
    } else { /* the exponent of f16 is 112 below that of f32; the product also normalises subnormals */
      __builtin_memcpy(&value, &magnitude, 4);
      value *= 0x1p112f;
    }
    uint32_t bits;
    __builtin_memcpy(&bits, &value, 4);
    bits |= sign;
    float signed_value;
    __builtin_memcpy(&signed_value, &bits, 4);
    y[i] = signed_value;
  }
  return y;
}

LEET_INLINE vh to_f16(vf x) {
  vh y;
  for (int i = 0; i < W; i++) {
    const float lane = x[i];
    uint32_t bits;
    __builtin_memcpy(&bits, &lane, 4);
    const uint32_t sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
    uint32_t half;
    if (magnitude > 0x7f800000) { /* NaN stays NaN, made quiet */
      half = 0x7e00 | ((magnitude >> 13) & 0x1ff);
    } else if (magnitude >= 0x477ff000) { /* rounds to 2^16 or more */
      half = 0x7c00;
    } else if (magnitude < 0x38800000) { /* subnormal: adding 1/2 puts the unit of f16 in the last place */
      float value;
      __builtin_memcpy(&value, &magnitude, 4);
      value += 0.5f;
      __builtin_memcpy(&half, &value, 4);
      half -= 0x3f000000;
    } else { /* round to nearest even on the 13 bits that go */
      half = (magnitude - 0x38000000 + 0xfff + ((magnitude >> 13) & 1)) >> 13;
    }
    y[i] = (uint16_t)(sign | half);
  }
  return y;
}

LEET_INLINE vf load_part(const float *p, int n) { return load_part_by_copy<vf>(p, n); }
LEET_INLINE void store_part(float *p, vf x, int n) { store_part_by_copy(p, x, n); }
LEET_INLINE vf load_split(const float *p) { return load_part_by_copy<vf>(p, W); } /* see vec_avx512.h */
LEET_INLINE void store_split(float *p, vf x) { store_part_by_copy(p, x, W); }
