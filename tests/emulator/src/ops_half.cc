// Arithmetic of f16, f16x2, bf16 and bf16x2: computed in f32 (f64 for fma) and rounded to 16 bits once.
#include <cmath>
#include <string>

#include "half.h"
#include "half_ops.h"
#include "ops.h"

namespace leetemu {
namespace {

struct Half {
  static float from(u16 x) { return fromHalf(x); }
  static u16 to(float x) { return toHalf(x); }
  static u16 toOnce(double x) { return toHalf(x, Round::nearest); }
};
struct Bf16 {
  static float from(u16 x) { return fromBf16(x); }
  static u16 to(float x) { return toBf16(x); }
  static u16 toOnce(double x) { return toBf16(x, Round::nearest); }
};

// aux of an instruction
enum : u8 { SAT = 1, RELU = 2, NAN_WINS = 4 };

struct Add {
  static float run(float a, float b) { return a + b; }
};
struct Sub {
  static float run(float a, float b) { return a - b; }
};
struct Mul {
  static float run(float a, float b) { return a * b; }
};
struct Min {
  static float run(float a, float b) { return a != a ? b : b != b ? a : a < b || (a == b && std::signbit(a)) ? a : b; }
};
struct Max {
  static float run(float a, float b) { return a != a ? b : b != b ? a : a > b || (a == b && std::signbit(b)) ? a : b; }
};
struct Ex2 {
  static float run(float a) { return std::exp2(a); }
};
struct Tanh {
  static float run(float a) { return std::tanh(a); }
};
struct Neg {};
struct Abs {};
struct Fma {};

float limited(float x, u8 aux) {
  if (aux & SAT) return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f;
  if (aux & RELU) return x != x ? x : x > 0 ? x : 0.0f;
  return x;
}

template <class F, class Op>
u16 element(u16 a, u16 b, u16 c, u8 aux) {
  if constexpr (std::is_same_v<Op, Neg>) {
    return a ^ 0x8000;
  } else if constexpr (std::is_same_v<Op, Abs>) {
    return a & 0x7fff;
  } else if constexpr (std::is_same_v<Op, Fma>) {
    // The product is exact in f64. The sum is too, unless one operand is so small that it cannot change the result.
    u16 r = F::toOnce(static_cast<double>(F::from(a)) * F::from(b) + F::from(c));
    return aux ? F::to(limited(F::from(r), aux)) : r;
  } else if constexpr (requires { Op::run(1.0f); }) {
    return F::to(Op::run(F::from(a)));
  } else {
    float x = F::from(a), y = F::from(b);
    if (aux & NAN_WINS && (x != x || y != y)) return 0x7fff;
    return F::to(limited(Op::run(x, y), aux));
  }
}

template <class F, class Op, bool PAIR>
void apply(Warp &w, const Ins &i, u32 m) {
  using T = std::conditional_t<PAIR, u32, u16>;
  T *d = w.dst<T>(i.d);
  const T *a = w.src<T>(i.a), *b = w.src<T>(i.b == NO_REF ? i.a : i.b), *c = w.src<T>(i.c == NO_REF ? i.a : i.c);
  lanes(m, [=, &i](u32 l) {
    u16 low = element<F, Op>(static_cast<u16>(a[l]), static_cast<u16>(b[l]), static_cast<u16>(c[l]), i.aux);
    if constexpr (PAIR)
      d[l] = low | static_cast<u32>(element<F, Op>(static_cast<u16>(a[l] >> 16), static_cast<u16>(b[l] >> 16),
                                                   static_cast<u16>(c[l] >> 16), i.aux))
                       << 16;
    else d[l] = low;
  });
}

template <class Op>
Handler forType(Ty t) {
  switch (t) {
    case Ty::f16:
      return apply<Half, Op, false>;
    case Ty::f16x2:
      return apply<Half, Op, true>;
    case Ty::bf16:
      return apply<Bf16, Op, false>;
    case Ty::bf16x2:
      return apply<Bf16, Op, true>;
    default:
      return nullptr;
  }
}

struct Row {
  const char *name;
  int arity;
  Handler (*fn)(Ty);
  bool rounds, nan;
};
const Row ROWS[] = {
    {"add", 2, forType<Add>, true, false},  {"sub", 2, forType<Sub>, true, false},
    {"mul", 2, forType<Mul>, true, false},  {"fma", 3, forType<Fma>, true, false},
    {"min", 2, forType<Min>, false, true},  {"max", 2, forType<Max>, false, true},
    {"neg", 1, forType<Neg>, false, false}, {"abs", 1, forType<Abs>, false, false},
    {"ex2", 1, forType<Ex2>, false, false}, {"tanh", 1, forType<Tanh>, false, false},
};

}  // namespace

void buildHalfArith(Builder &b) {
  for (const Row &r : ROWS) {
    if (b.s.op != r.name) continue;
    if (r.rounds) {
      b.mod("rn");
      if (b.mod("sat")) b.ins.aux |= SAT;
      if (r.arity == 3 && b.mod("relu")) b.ins.aux |= RELU;
    }
    if (r.nan && b.mod("NaN")) b.ins.aux |= NAN_WINS;
    Ty t = b.type();
    if (b.s.op == "ex2" && (t == Ty::bf16 || t == Ty::bf16x2)) b.need("ftz");
    if (r.arity == 1) emitUnary(b, t, r.fn(t));
    else if (r.arity == 2) emitBinary(b, t, r.fn(t));
    else emitTernary(b, t, r.fn(t));
    return;
  }
  b.fail("this type is not supported");
}

}  // namespace leetemu
