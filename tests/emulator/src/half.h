// Scalar conversions between float and the 16-bit formats, and rounding to any format.
#pragma once
#include <cmath>

#include "base.h"

namespace leetemu {

enum class Round : u8 { nearest, zero, down, up, nearestAway };

// Keeps `keep` mantissa bits of x, with exponents from minExponent (of the least normal number) up; a result beyond
// maxFinite becomes an infinity or maxFinite, as the rounding says. NaN and infinities pass through.
double roundTo(double x, int keep, int minExponent, double maxFinite, Round r);

u16 toHalf(double x, Round r);
u16 toBf16(double x, Round r);

inline float fromBf16(u16 h) { return bitsAs<float>(static_cast<u32>(h) << 16); }
#if defined(__F16C__)
}
#include <immintrin.h>
namespace leetemu {
inline float fromHalf(u16 h) { return _cvtsh_ss(h); }
inline u16 toHalf(float x) { return x != x ? 0x7fff : _cvtss_sh(x, 0); }
#else
float fromHalf(u16 h);
inline u16 toHalf(float x) { return toHalf(static_cast<double>(x), Round::nearest); }
#endif
inline u16 toBf16(float x) {
  u32 u = bitsAs<u32>(x);
  return x != x ? 0x7fff : static_cast<u16>((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
// To 10 mantissa bits, ties away from zero; the low 13 bits become zero.
inline u32 toTf32Away(float x) {
  u32 u = bitsAs<u32>(x);
  if (x != x) return 0x7fffffff;
  if ((u & 0x7f800000) == 0x7f800000) return u;
  return (u + 0x1000) & 0xffffe000;
}

}  // namespace leetemu
