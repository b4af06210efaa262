// cvt in all its forms.
//
// One general handler reads an element of the source type, converts it through an exact wide value and writes the
// destination type; the forms that compilers emit in inner loops have handlers of their own.
#include <cmath>

#include "half.h"
#include "ops.h"

namespace leetemu {
namespace {

// How the general handler converts; lies in Ins::imm.
struct Conversion {
  Ty from, to;
  u8 fromBytes, toBytes;  // of the registers
  Round rounding;
  bool integral;  // float to float, rounded to a whole number
  bool sat, ftz, relu;
};
static_assert(sizeof(Conversion) <= 16);

i64 readInteger(const u8 *p, Ty t) {
  u64 x = 0;
  memcpy(&x, p, sizeOf(t));
  u32 shift = 64 - 8 * sizeOf(t);
  return isSigned(t) ? static_cast<i64>(x << shift) >> shift : static_cast<i64>(x);
}

double readFloat(const u8 *p, Ty t) {
  u64 x = 0;
  memcpy(&x, p, sizeOf(t));
  switch (t) {
    case Ty::f16:
      return fromHalf(static_cast<u16>(x));
    case Ty::bf16:
      return fromBf16(static_cast<u16>(x));
    case Ty::f32:
      return bitsAs<float>(static_cast<u32>(x));
    default:
      return bitsAs<double>(x);
  }
}

// A signed destination narrower than its register is sign-extended, others are zero-extended.
void writeInteger(u8 *p, u64 x, const Conversion &c) {
  u32 shift = 64 - 8 * sizeOf(c.to);
  u64 wide = isSigned(c.to) ? static_cast<u64>(static_cast<i64>(x << shift) >> shift) : x << shift >> shift;
  memcpy(p, &wide, c.toBytes);
}

double wholeNumber(double x, Round r) {
  switch (r) {
    case Round::zero:
      return std::trunc(x);
    case Round::down:
      return std::floor(x);
    case Round::up:
      return std::ceil(x);
    default:
      return std::nearbyint(x);
  }
}

u64 saturatedInteger(i64 x, const Conversion &c) {
  bool negative = isSigned(c.from) && x < 0;
  u32 bits = 8 * sizeOf(c.to);
  u64 high = isSigned(c.to) ? (1ull << (bits - 1)) - 1 : bits == 64 ? ~0ull : (1ull << bits) - 1;
  if (!negative) return std::min(static_cast<u64>(x), high);
  if (!isSigned(c.to)) return 0;
  return static_cast<u64>(std::max(x, -static_cast<i64>(high) - 1));
}

u64 floatToInteger(double x, const Conversion &c) {
  u32 bits = 8 * sizeOf(c.to);
  if (x != x) return c.from == Ty::f64 || bits == 64 ? 1ull << (bits - 1) : 0;
  x = wholeNumber(x, c.rounding);
  bool isSignedTo = isSigned(c.to);
  double high = std::ldexp(1.0, static_cast<int>(isSignedTo ? bits - 1 : bits)), low = isSignedTo ? -high : 0.0;
  if (x >= high) return isSignedTo ? (1ull << (bits - 1)) - 1 : bits == 64 ? ~0ull : (1ull << bits) - 1;
  if (x < low) return isSignedTo ? 1ull << (bits - 1) : 0;
  return x < 0 ? static_cast<u64>(static_cast<i64>(x)) : static_cast<u64>(x);
}

// The nearest T to x, moved by one step where a directed rounding wants the other neighbour.
template <class T>
T integerTo(i64 value, bool isUnsigned, Round r) {
  __int128 exact = isUnsigned ? static_cast<__int128>(static_cast<u64>(value)) : value;
  T y = isUnsigned ? static_cast<T>(static_cast<u64>(value)) : static_cast<T>(value);
  __int128 got = static_cast<__int128>(y);
  if (r == Round::nearest || got == exact) return y;
  bool wantDown = r == Round::down || (r == Round::zero && exact > 0);
  if (wantDown && got > exact) return std::nextafter(y, static_cast<T>(-INFINITY));
  if (!wantDown && got < exact) return std::nextafter(y, static_cast<T>(INFINITY));
  return y;
}

void writeFloat(u8 *p, double x, const Conversion &c) {
  if (c.relu) x = x > 0 || x != x ? x : 0.0;
  if (c.sat) x = x > 0 ? std::min(x, 1.0) : 0.0;
  u64 bits = 0;
  switch (c.to) {
    case Ty::f16:
      bits = toHalf(x, c.rounding);
      break;
    case Ty::bf16:
      bits = toBf16(x, c.rounding);
      break;
    case Ty::f32: {
      double y = roundTo(x, 23, -126, 3.4028234663852886e38, c.rounding);
      if (c.ftz && std::fabs(y) < 1.1754943508222875e-38) y = std::copysign(0.0, y);
      bits = y != y ? 0x7fffffffu : bitsAs<u32>(static_cast<float>(y));
      break;
    }
    default:
      bits = bitsAs<u64>(x);
  }
  memcpy(p, &bits, c.toBytes);
}

void convertElement(const u8 *from, u8 *to, const Conversion &c) {
  if (!isFloat(c.from) && !isFloat(c.to)) {
    i64 x = readInteger(from, c.from);
    return writeInteger(to, c.sat ? saturatedInteger(x, c) : static_cast<u64>(x), c);
  }
  if (!isFloat(c.from)) {
    i64 x = readInteger(from, c.from);
    bool isUnsigned = !isSigned(c.from);
    double y =
        c.to == Ty::f64 ? integerTo<double>(x, isUnsigned, c.rounding) : integerTo<float>(x, isUnsigned, c.rounding);
    // A 16-bit float from a large integer: through f64, which holds every integer that stays finite exactly.
    if (sizeOf(c.to) == 2) y = isUnsigned ? static_cast<double>(static_cast<u64>(x)) : static_cast<double>(x);
    return writeFloat(to, y, c);
  }
  double x = readFloat(from, c.from);
  if (c.ftz && c.from == Ty::f32 && std::fabs(x) < 1.1754943508222875e-38) x = std::copysign(0.0, x);
  if (!isFloat(c.to)) return writeInteger(to, floatToInteger(x, c), c);
  if (c.integral) x = std::copysign(wholeNumber(x, c.rounding), x);
  writeFloat(to, x, c);
}

void convert(Warp &w, const Ins &i, u32 m) {
  Conversion c;
  memcpy(&c, &w.lists[i.list], sizeof c);
  const u8 *a = w.src<u8>(i.a);
  u8 *d = w.dst<u8>(i.d);
  alignas(64) u8 result[WARP * 8];
  lanes(m, [&](u32 l) { convertElement(a + l * c.fromBytes, result + l * c.toBytes, c); });
  lanes(m, [&](u32 l) { memcpy(d + l * c.toBytes, result + l * c.toBytes, c.toBytes); });
}

template <class D>
struct Cast {
  template <class A>
  static D run(A a) {
    return static_cast<D>(a);
  }
};
struct HalfToFloat {
  static float run(u16 a) { return fromHalf(a); }
};
struct Bf16ToFloat {
  static float run(u16 a) { return fromBf16(a); }
};
struct FloatToHalf {
  static u16 run(float a) { return toHalf(a); }
};
struct FloatToBf16 {
  static u16 run(float a) { return toBf16(a); }
};
struct ToTf32 {
  static u32 run(float a) { return toTf32Away(a); }
};
struct PackHalf {
  static u32 run(float high, float low) { return static_cast<u32>(toHalf(high)) << 16 | toHalf(low); }
};
struct PackBf16 {
  static u32 run(float high, float low) { return static_cast<u32>(toBf16(high)) << 16 | toBf16(low); }
};

float narrowed(float x, bool relu) { return relu && !(x > 0 || x != x) ? 0.0f : x; }

// aux: bit 0 relu, bit 1 toward zero
template <bool BF16>
void packSlow(Warp &w, const Ins &i, u32 m) {
  u32 *d = w.dst<u32>(i.d);
  const float *a = w.src<float>(i.a), *b = w.src<float>(i.b);
  Round r = i.aux & 2 ? Round::zero : Round::nearest;
  auto one = [=, &i](float x) -> u32 {
    double y = narrowed(x, i.aux & 1);
    return BF16 ? toBf16(y, r) : toHalf(y, r);
  };
  lanes(m, [=](u32 l) { d[l] = one(a[l]) << 16 | one(b[l]); });
}

void buildPack(Builder &b, Ty to, Round r, bool relu) {
  b.need("f32");
  b.expectOperands(3, 3);
  if (r != Round::nearest && r != Round::zero) b.fail("needs .rn or .rz");
  b.ins.d = b.dst(0, to), b.ins.a = b.src(1, Ty::f32), b.ins.b = b.src(2, Ty::f32);
  b.ins.aux = static_cast<u8>((relu ? 1 : 0) | (r == Round::zero ? 2 : 0));
  bool bf16 = to == Ty::bf16x2;
  if (b.ins.aux) return b.emit(bf16 ? packSlow<true> : packSlow<false>);
  b.emit(bf16 ? binary<u32, float, float, PackBf16> : binary<u32, float, float, PackHalf>);
}

struct DoubleToFloat {
  static u32 run(double a) { return a != a ? 0x7fffffffu : bitsAs<u32>(static_cast<float>(a)); }
};
struct RoundFloat {
  static u32 run(float a) {
    return a != a ? 0x7fffffffu : bitsAs<u32>(std::copysign(static_cast<float>(std::nearbyint(a)), a));
  }
};
// Toward zero, NaN as `NAN_RESULT`.
template <u32 NAN_RESULT>
struct TruncateToInt {
  template <class A>
  static u32 run(A a) {
    if (a != a) return NAN_RESULT;
    return a >= 2147483648.0 ? 0x7fffffffu : a < -2147483648.0 ? 0x80000000u : static_cast<u32>(static_cast<i32>(a));
  }
};

struct Fast {
  const char *rounding;  // "" stands for .rn as well
  Ty to, from;
  Handler fn;
};
const Fast FAST[] = {
    {"", Ty::s64, Ty::s32, unary<i64, i32, Cast<i64>>},
    {"", Ty::u64, Ty::u32, unary<u64, u32, Cast<u64>>},
    {"", Ty::u32, Ty::u64, unary<u32, u64, Cast<u32>>},
    {"", Ty::s32, Ty::s64, unary<u32, u64, Cast<u32>>},
    {"", Ty::u16, Ty::u32, unary<u16, u32, Cast<u16>>},
    {"", Ty::f32, Ty::s32, unary<float, i32, Cast<float>>},
    {"", Ty::f32, Ty::u32, unary<float, u32, Cast<float>>},
    {"", Ty::f64, Ty::s32, unary<double, i32, Cast<double>>},
    {"", Ty::f32, Ty::f16, unary<float, u16, HalfToFloat>},
    {"", Ty::f32, Ty::bf16, unary<float, u16, Bf16ToFloat>},
    {"", Ty::f16, Ty::f32, unary<u16, float, FloatToHalf>},
    {"", Ty::bf16, Ty::f32, unary<u16, float, FloatToBf16>},
    {"", Ty::f64, Ty::f32, unary<double, float, Cast<double>>},
    {"", Ty::f32, Ty::f64, unary<u32, double, DoubleToFloat>},
    {"rni", Ty::f32, Ty::f32, unary<u32, float, RoundFloat>},
    {"rzi", Ty::s32, Ty::f32, unary<u32, float, TruncateToInt<0>>},
    {"rzi", Ty::s32, Ty::f64, unary<u32, double, TruncateToInt<0x80000000u>>},
};

bool isNarrowing(Ty to, Ty from) { return isFloat(to) && (!isFloat(from) || sizeOf(to) < sizeOf(from)); }

void buildCvt(Builder &b) {
  int rounding = b.oneOf({"rn", "rz", "rm", "rp", "rna"}), whole = b.oneOf({"rni", "rzi", "rmi", "rpi"});
  bool ftz = b.mod("ftz"), sat = b.mod("sat"), relu = b.mod("relu");
  Ty to = b.type();
  constexpr Round ROUNDS[] = {Round::nearest, Round::zero, Round::down, Round::up, Round::nearestAway};
  Round r = rounding >= 0 ? ROUNDS[rounding] : whole >= 0 ? ROUNDS[whole] : Round::nearest;
  if (to == Ty::f16x2 || to == Ty::bf16x2) {
    if (rounding < 0 || ftz || sat) b.fail("needs .rn or .rz and no other modifier than .relu");
    return buildPack(b, to, r, relu);
  }
  Ty from = b.type();
  b.expectOperands(2, 2);
  if (to == Ty::tf32) {
    if (r != Round::nearestAway || from != Ty::f32 || ftz || sat || relu) b.fail("only cvt.rna.tf32.f32 is supported");
    b.ins.d = b.dst(0, to), b.ins.a = b.src(1, from);
    return b.emit(unary<u32, float, ToTf32>);
  }
  if (r == Round::nearestAway || from == Ty::tf32 || sizeOf(to) > 8 || from == Ty::f16x2 || from == Ty::bf16x2)
    b.fail("this conversion is not supported");
  if (isFloat(from) && !isFloat(to) && whole < 0) b.fail("needs .rni, .rzi, .rmi or .rpi");
  if (isNarrowing(to, from) && rounding < 0) b.fail("needs .rn, .rz, .rm or .rp");
  if (relu && sizeOf(to) != 2) b.fail("modifier .relu is not supported here");
  u32 fromBytes = 0, toBytes = 0;
  b.ins.a = b.srcWide(b.operand(1), from, &fromBytes);
  b.ins.d = b.dstWide(b.operand(0), to, &toBytes);
  bool exactWidth = fromBytes == sizeOf(from) && toBytes == sizeOf(to);
  const char *name = whole == 0 ? "rni" : whole == 1 ? "rzi" : whole < 0 && r == Round::nearest ? "" : nullptr;
  if (exactWidth && name && !ftz && !sat && !relu)
    for (const Fast &f : FAST)
      if (f.to == to && f.from == from && strcmp(f.rounding, name) == 0) return b.emit(f.fn);
  Conversion c{from, to, static_cast<u8>(fromBytes), static_cast<u8>(toBytes), r, whole >= 0, sat, ftz, relu};
  std::vector<Ref> words(4, 0);
  memcpy(words.data(), &c, sizeof c);
  b.setList(words);
  b.emit(convert);
}

const Op OPS[] = {{"cvt", buildCvt}};

}  // namespace

OpList convertOps() { return {OPS, sizeof OPS / sizeof OPS[0]}; }

}  // namespace leetemu
