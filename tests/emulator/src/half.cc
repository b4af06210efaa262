#include "half.h"

#include <algorithm>

namespace leetemu {

double roundTo(double x, int keep, int minExponent, double maxFinite, Round r) {
  if (x != x || std::isinf(x) || x == 0) return x;
  int e = std::max(std::ilogb(x), minExponent);
  double unit = std::ldexp(1.0, e - keep);
  double q = x / unit;  // exact: a power of two
  double whole = std::trunc(q), rest = q - whole, away = x < 0 ? -1.0 : 1.0;
  bool up = false;
  switch (r) {
    case Round::nearest:
      up = std::fabs(rest) > 0.5 || (std::fabs(rest) == 0.5 && std::fmod(whole, 2.0) != 0);
      break;
    case Round::nearestAway:
      up = std::fabs(rest) >= 0.5;
      break;
    case Round::zero:
      break;
    case Round::down:
      up = rest < 0;
      break;
    case Round::up:
      up = rest > 0;
      break;
  }
  double y = (whole + (up ? away : 0)) * unit;
  if (y == 0) y = std::copysign(0.0, x);
  if (std::fabs(y) > maxFinite) {
    bool stays = r == Round::zero || (r == Round::down && x > 0) || (r == Round::up && x < 0);
    return stays ? std::copysign(maxFinite, x) : std::copysign(INFINITY, x);
  }
  return y;
}

u16 toHalf(double x, Round r) {
  if (x != x) return 0x7fff;
  double y = roundTo(x, 10, -14, 65504.0, r);
  u16 sign = std::signbit(y) ? 0x8000 : 0;
  double m = std::fabs(y);
  if (std::isinf(m)) return sign | 0x7c00;
  if (m < std::ldexp(1.0, -14)) return sign | static_cast<u16>(std::ldexp(m, 24));
  int e = std::ilogb(m);
  return static_cast<u16>(sign | (e + 15) << 10 | (static_cast<int>(std::ldexp(m, 10 - e)) - 1024));
}

u16 toBf16(double x, Round r) {
  if (x != x) return 0x7fff;
  double y = roundTo(x, 7, -126, 3.3895313892515355e38, r);
  return static_cast<u16>(bitsAs<u32>(static_cast<float>(y)) >> 16);
}

#if !defined(__F16C__)
float fromHalf(u16 h) {
  u32 sign = static_cast<u32>(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;
  if (e == 31) return bitsAs<float>(sign | 0x7f800000 | m << 13);
  if (e == 0) return std::copysign(std::ldexp(static_cast<float>(m), -24), bitsAs<float>(sign | 0x3f800000));
  return bitsAs<float>(sign | (e + 112) << 23 | m << 13);
}
#endif

}  // namespace leetemu
