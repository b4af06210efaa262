// Floating-point arithmetic of f32 and f64, and the dispatch to the integer and the 16-bit forms of the same opcodes.
//
// Approximate instructions (ex2.approx, rcp.approx, ...) give the correctly rounded or nearly so result: a GPU may be
// off by the error that the ISA states.
#if defined(__FMA__)
#include <immintrin.h>
#endif

#include <cfenv>
#include <cmath>
#include <type_traits>

#include "arith.h"
#include "half_ops.h"
#include "ops.h"

namespace leetemu {
namespace {

// The NaN that arithmetic of f32 returns.
inline float canonical(float x) { return x != x ? bitsAs<float>(0x7fffffffu) : x; }
inline double canonical(double x) { return x; }

struct Add {
  template <class T>
  static T run(T a, T b) {
    return canonical(a + b);
  }
};
struct Sub {
  template <class T>
  static T run(T a, T b) {
    return canonical(a - b);
  }
};
struct Mul {
  template <class T>
  static T run(T a, T b) {
    return canonical(a * b);
  }
};
struct Div {
  template <class T>
  static T run(T a, T b) {
    return canonical(a / b);
  }
};
struct Fma {
  static float run(float a, float b, float c) { return canonical(__builtin_fmaf(a, b, c)); }
  static double run(double a, double b, double c) { return __builtin_fma(a, b, c); }
};
struct Min {
  template <class T>
  static T run(T a, T b) {
    if (a != a) return canonical(b);
    if (b != b) return a;
    return a < b || (a == b && std::signbit(a)) ? a : b;
  }
};
struct Max {
  template <class T>
  static T run(T a, T b) {
    if (a != a) return canonical(b);
    if (b != b) return a;
    return a > b || (a == b && std::signbit(b)) ? a : b;
  }
};
template <class Op>
struct OrNan {
  template <class T>
  static T run(T a, T b) {
    return a != a || b != b ? canonical(a + b) : Op::run(a, b);
  }
};
struct Abs {
  template <class T>
  static T run(T a) {
    return a != a ? canonical(a) : std::fabs(a);
  }
};
struct Neg {
  template <class T>
  static T run(T a) {
    return -a;
  }
};
struct Copysign {
  template <class T>
  static T run(T a, T b) {
    return std::copysign(b, a);
  }
};
struct Rcp {
  template <class T>
  static T run(T a) {
    return canonical(T{1} / a);
  }
};
struct Sqrt {
  template <class T>
  static T run(T a) {
    return canonical(std::sqrt(a));
  }
};
struct Rsqrt {
  template <class T>
  static T run(T a) {
    return canonical(static_cast<T>(1.0 / std::sqrt(static_cast<double>(a))));
  }
};
struct Ex2 {
  static float run(float a) { return canonical(std::exp2(a)); }
};
struct Lg2 {
  static float run(float a) { return canonical(std::log2(a)); }
};
struct Sin {
  static float run(float a) { return canonical(static_cast<float>(std::sin(static_cast<double>(a)))); }
};
struct Cos {
  static float run(float a) { return canonical(static_cast<float>(std::cos(static_cast<double>(a)))); }
};
struct Tanh {
  static float run(float a) { return canonical(static_cast<float>(std::tanh(static_cast<double>(a)))); }
};

// Modes other than round-to-nearest without flushing: aux = FTZ | SAT | rounding << 2.
enum : u8 { FTZ = 1, SAT = 2 };
constexpr int ROUNDINGS[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};

template <class T>
T flushed(T x, bool ftz) {
  return ftz && std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(T{0}, x) : x;
}

template <class T, class Op, int ARITY>
void withModes(Warp &w, const Ins &i, u32 m) {
  T *d = w.dst<T>(i.d);
  const T *a = w.src<T>(i.a), *b = w.src<T>(ARITY > 1 ? i.b : i.a), *c = w.src<T>(ARITY > 2 ? i.c : i.a);
  bool ftz = i.aux & FTZ;
  std::fesetround(ROUNDINGS[i.aux >> 2]);
  lanes(m, [=](u32 l) {
    T r, x = flushed(a[l], ftz), y = flushed(b[l], ftz), z = flushed(c[l], ftz);
    if constexpr (ARITY == 1) r = Op::run(x);
    else if constexpr (ARITY == 2) r = Op::run(x, y);
    else r = Op::run(x, y, z);
    r = flushed(r, ftz);
    if (i.aux & SAT) r = r > T{0} ? (r < T{1} ? r : T{1}) : T{0};
    d[l] = r;
  });
  std::fesetround(FE_TONEAREST);
}

// GCC does not vectorise a fused multiply-add while the rounding mode may change.
void fmaOfFloats(Warp &w, const Ins &i, u32 m) {
#if defined(__FMA__)
  if (m == ALL_LANES) {
    float *d = w.dst<float>(i.d);
    const float *a = w.src<float>(i.a), *b = w.src<float>(i.b), *c = w.src<float>(i.c);
    const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    for (u32 l = 0; l < WARP; l += 8) {
      __m256 x = _mm256_fmadd_ps(_mm256_loadu_ps(a + l), _mm256_loadu_ps(b + l), _mm256_loadu_ps(c + l));
      _mm256_storeu_ps(d + l, _mm256_blendv_ps(x, nan, _mm256_cmp_ps(x, x, _CMP_UNORD_Q)));
    }
    return;
  }
#endif
  ternary<float, float, float, float, Fma>(w, i, m);
}

template <class T, class Op, int ARITY>
Handler pick(bool plain) {
  if (!plain) return withModes<T, Op, ARITY>;
  if constexpr (std::is_same_v<T, float> && std::is_same_v<Op, Fma>) return fmaOfFloats;
  if constexpr (ARITY == 1) return unary<T, T, Op>;
  else if constexpr (ARITY == 2) return binary<T, T, T, Op>;
  else return ternary<T, T, T, T, Op>;
}

enum Kinds : u8 { F32 = 1, F64 = 2 };

// modes: which of the modifiers the instruction may have.
enum Modes : u8 { ROUND = 1, FLUSH = 2, SATURATE = 4, APPROX = 8 };

template <class Op, int ARITY>
void buildFloat(Builder &b, u8 kinds, u8 modes) {
  int rounding = modes & ROUND ? b.oneOf({"rn", "rz", "rm", "rp"}) : -1;
  bool approx = modes & APPROX && b.oneOf({"approx", "full"}) >= 0;
  bool ftz = modes & FLUSH && b.mod("ftz"), sat = modes & SATURATE && b.mod("sat");
  Ty t = b.type();
  if (!(t == Ty::f32 && kinds & F32) && !(t == Ty::f64 && kinds & F64)) b.fail("this type is not supported");
  if (t == Ty::f64 && sat) b.fail("modifier is for f32 only");
  if (ARITY == 3 && rounding < 0) b.fail("needs a rounding");
  if (modes & ROUND && modes & APPROX && rounding < 0 && !approx) b.fail("needs .approx or a rounding");
  if (rounding < 0) rounding = 0;
  b.ins.aux = static_cast<u8>((ftz ? FTZ : 0) | (sat ? SAT : 0) | rounding << 2);
  bool plain = b.ins.aux == 0;
  Handler fn = nullptr;
  if (t == Ty::f32) fn = pick<float, Op, ARITY>(plain);
  else if constexpr (
      requires { Op::run(1.0); } || requires { Op::run(1.0, 1.0); } || requires { Op::run(1.0, 1.0, 1.0); })
    fn = pick<double, Op, ARITY>(plain);
  if (ARITY == 1) emitUnary(b, t, fn);
  else if (ARITY == 2) emitBinary(b, t, fn);
  else emitTernary(b, t, fn);
}

template <class Op, class NanOp>
void buildMinMax(Builder &b) {
  if (b.mod("NaN")) buildFloat<NanOp, 2>(b, F32, FLUSH);
  else buildFloat<Op, 2>(b, F32 | F64, FLUSH);
}

bool is16(Ty t) { return t == Ty::f16 || t == Ty::f16x2 || t == Ty::bf16 || t == Ty::bf16x2; }

// Sends a statement to the builder of its type.
template <void (*FLOAT)(Builder &)>
void byType(Builder &b) {
  Ty t = lastType(b.s);
  if (is16(t)) buildHalfArith(b);
  else if (t == Ty::f32 || t == Ty::f64) FLOAT(b);
  else buildIntegerArith(b);
}

void floatAdd(Builder &b) { buildFloat<Add, 2>(b, F32 | F64, ROUND | FLUSH | SATURATE); }
void floatSub(Builder &b) { buildFloat<Sub, 2>(b, F32 | F64, ROUND | FLUSH | SATURATE); }
void floatMul(Builder &b) { buildFloat<Mul, 2>(b, F32 | F64, ROUND | FLUSH | SATURATE); }
void floatFma(Builder &b) { buildFloat<Fma, 3>(b, F32 | F64, ROUND | FLUSH | SATURATE); }
void floatDiv(Builder &b) { buildFloat<Div, 2>(b, F32 | F64, ROUND | FLUSH | APPROX); }
void floatMin(Builder &b) { buildMinMax<Min, OrNan<Min>>(b); }
void floatMax(Builder &b) { buildMinMax<Max, OrNan<Max>>(b); }
void floatAbs(Builder &b) { buildFloat<Abs, 1>(b, F32 | F64, FLUSH); }
void floatNeg(Builder &b) { buildFloat<Neg, 1>(b, F32 | F64, FLUSH); }
void buildCopysign(Builder &b) { buildFloat<Copysign, 2>(b, F32 | F64, 0); }
void buildRcp(Builder &b) { buildFloat<Rcp, 1>(b, F32 | F64, ROUND | FLUSH | APPROX); }
void buildSqrt(Builder &b) { buildFloat<Sqrt, 1>(b, F32 | F64, ROUND | FLUSH | APPROX); }

template <class Op>
void buildApprox(Builder &b) {
  b.need("approx");
  if (is16(lastType(b.s))) buildHalfArith(b);
  else buildFloat<Op, 1>(b, std::is_same_v<Op, Rsqrt> ? F32 | F64 : F32, FLUSH);
}

void buildTanh(Builder &b) {
  b.need("approx");
  if (is16(lastType(b.s))) buildHalfArith(b);
  else buildFloat<Tanh, 1>(b, F32, 0);
}

const Op OPS[] = {
    {"add", byType<floatAdd>}, {"sub", byType<floatSub>},     {"mul", byType<floatMul>},   {"fma", byType<floatFma>},
    {"mad", byType<floatFma>}, {"div", byType<floatDiv>},     {"min", byType<floatMin>},   {"max", byType<floatMax>},
    {"abs", byType<floatAbs>}, {"neg", byType<floatNeg>},     {"copysign", buildCopysign}, {"rcp", buildRcp},
    {"sqrt", buildSqrt},       {"rsqrt", buildApprox<Rsqrt>}, {"ex2", buildApprox<Ex2>},   {"lg2", buildApprox<Lg2>},
    {"sin", buildApprox<Sin>}, {"cos", buildApprox<Cos>},     {"tanh", buildTanh},
};

}  // namespace

OpList floatOps() { return {OPS, sizeof OPS / sizeof OPS[0]}; }

}  // namespace leetemu
