// setp and set: comparisons, with an optional combination with a predicate.
#include <cmath>

#include "half.h"
#include "ops.h"

namespace leetemu {
namespace {

enum Cmp : u8 { EQ, NE, LT, LE, GT, GE, EQU, NEU, LTU, LEU, GTU, GEU, NUM, NANS };

template <class T>
struct Value {
  static T of(T x) { return x; }
};
struct FlushedValue {
  static float of(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }
};
struct HalfValue {
  static float of(u16 x) { return fromHalf(x); }
};
struct Bf16Value {
  static float of(u16 x) { return fromBf16(x); }
};

// The ordered comparisons are false for NaN, those of group EQU.. are true.
template <u8 CMP, class X>
bool compare(X a, X b) {
  bool unordered = a != a || b != b;
  switch (CMP) {
    case EQ:
      return a == b;
    case NE:
      return !unordered && a != b;
    case LT:
      return a < b;
    case LE:
      return a <= b;
    case GT:
      return a > b;
    case GE:
      return a >= b;
    case EQU:
      return unordered || a == b;
    case NEU:
      return a != b;
    case LTU:
      return unordered || a < b;
    case LEU:
      return unordered || a <= b;
    case GTU:
      return unordered || a > b;
    case GEU:
      return unordered || a >= b;
    case NUM:
      return !unordered;
    default:
      return unordered;
  }
}

template <class T, class V, u8 CMP>
u32 compareLanes(const Warp &w, const Ins &i, u32 m) {
  const T *a = w.src<T>(i.a), *b = w.src<T>(i.b);
  u32 r = 0;
  if (m == ALL_LANES) {
    alignas(32) u8 bit[WARP];
    for (u32 l = 0; l < WARP; ++l) bit[l] = compare<CMP>(V::of(a[l]), V::of(b[l]));
    for (u32 l = 0; l < WARP; ++l) r |= static_cast<u32>(bit[l]) << l;
  } else {
    lanes(m, [&](u32 l) { r |= static_cast<u32>(compare<CMP>(V::of(a[l]), V::of(b[l]))) << l; });
  }
  return r;
}

// aux: 0 no combination, 1 and, 2 or, 3 xor; +4 the other predicate is negated. list: the complement destination.
template <class T, class V, u8 CMP>
void setp(Warp &w, const Ins &i, u32 m) {
  u32 r = compareLanes<T, V, CMP>(w, i, m), other = 0, n = ~r;
  if (i.aux) {
    other = w.pred(i.c) ^ (i.aux & 4 ? ALL_LANES : 0);
    auto combine = [&](u32 x) { return (i.aux & 3) == 1 ? x & other : (i.aux & 3) == 2 ? x | other : x ^ other; };
    r = combine(r), n = combine(n);
  }
  w.setPred(i.d, m, r);
  if (i.count) w.setPred(w.lists[i.list], m, n);
}

// set: all ones or 1.0f, else zero. aux as for setp; size = 1 for a float destination.
template <class T, class V, u8 CMP>
void setWord(Warp &w, const Ins &i, u32 m) {
  u32 r = compareLanes<T, V, CMP>(w, i, m);
  if (i.aux) {
    u32 other = w.pred(i.c) ^ (i.aux & 4 ? ALL_LANES : 0);
    r = (i.aux & 3) == 1 ? r & other : (i.aux & 3) == 2 ? r | other : r ^ other;
  }
  u32 *d = w.dst<u32>(i.d), yes = i.size ? bitsAs<u32>(1.0f) : ~0u;
  lanes(m, [=](u32 l) { d[l] = r >> l & 1 ? yes : 0; });
}

template <template <class, class, u8> class Fn, class T, class V, size_t... K>
Handler byCompare(int cmp, std::index_sequence<K...>) {
  static constexpr Handler table[] = {Fn<T, V, static_cast<u8>(K)>::handler...};
  return table[cmp];
}
template <class T, class V, u8 CMP>
struct Setp {
  static constexpr Handler handler = setp<T, V, CMP>;
};
template <class T, class V, u8 CMP>
struct Set {
  static constexpr Handler handler = setWord<T, V, CMP>;
};

template <template <class, class, u8> class Fn>
Handler pick(Ty t, int cmp, bool ftz) {
  auto integers = std::make_index_sequence<6>();
  auto floats = std::make_index_sequence<14>();
  if (t == Ty::f32 && ftz) return byCompare<Fn, float, FlushedValue>(cmp, floats);
  if (ftz) return nullptr;
  if (t == Ty::f32) return byCompare<Fn, float, Value<float>>(cmp, floats);
  if (t == Ty::f64) return byCompare<Fn, double, Value<double>>(cmp, floats);
  if (t == Ty::f16) return byCompare<Fn, u16, HalfValue>(cmp, floats);
  if (t == Ty::bf16) return byCompare<Fn, u16, Bf16Value>(cmp, floats);
  if (cmp >= 6) return nullptr;
  return forInteger(t, [&]<class T>(T) -> Handler { return byCompare<Fn, T, Value<T>>(cmp, integers); });
}

int comparison(Builder &b) {
  int cmp = b.oneOf({"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"});
  // lo ls hi hs are lt le gt ge of unsigned types.
  if (cmp < 0) cmp = b.oneOf({"", "", "lo", "ls", "hi", "hs"});
  if (cmp < 0) b.fail("unknown comparison");
  return cmp;
}

void takeCombination(Builder &b, int combine, size_t k) {
  if (combine < 0) return;
  bool negated = false;
  b.ins.c = b.predicate(b.operand(k), &negated);
  b.ins.aux = static_cast<u8>((combine + 1) | (negated ? 4 : 0));
}

void buildSetp(Builder &b) {
  int cmp = comparison(b), combine = b.oneOf({"and", "or", "xor"});
  bool ftz = b.mod("ftz");
  Ty t = b.type();
  size_t n = combine >= 0 ? 4 : 3;
  b.expectOperands(n, n);
  const Operand &d = b.operand(0);
  if (d.kind == Operand::pair) {
    b.ins.d = b.dstOf(d.parts[0], Ty::pred);
    b.setList({b.dstOf(d.parts[1], Ty::pred)});
  } else {
    b.ins.d = b.dst(0, Ty::pred);
  }
  b.ins.a = b.src(1, t), b.ins.b = b.src(2, t);
  takeCombination(b, combine, 3);
  Handler fn = pick<Setp>(t, cmp, ftz);
  if (!fn) b.fail("this comparison of this type is not supported");
  b.emit(fn);
}

void buildSet(Builder &b) {
  int cmp = comparison(b), combine = b.oneOf({"and", "or", "xor"});
  bool ftz = b.mod("ftz");
  Ty to = b.type(), t = b.type();
  size_t n = combine >= 0 ? 4 : 3;
  b.expectOperands(n, n);
  if (to != Ty::u32 && to != Ty::s32 && to != Ty::f32) b.fail("this destination type is not supported");
  b.ins.size = to == Ty::f32;
  b.ins.d = b.dst(0, to), b.ins.a = b.src(1, t), b.ins.b = b.src(2, t);
  takeCombination(b, combine, 3);
  Handler fn = pick<Set>(t, cmp, ftz);
  if (!fn) b.fail("this comparison of this type is not supported");
  b.emit(fn);
}

const Op OPS[] = {{"setp", buildSetp}, {"set", buildSet}};

}  // namespace

OpList compareOps() { return {OPS, sizeof OPS / sizeof OPS[0]}; }

}  // namespace leetemu
