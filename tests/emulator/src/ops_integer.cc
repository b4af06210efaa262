// Integer arithmetic: add sub mul mad div rem abs neg min max sad, carries, and the bit counts and fields.
#include <algorithm>
#include <map>
#include <type_traits>

#include "arith.h"
#include "ops.h"

namespace leetemu {
namespace {

struct Add {
  template <class T>
  static T run(T a, T b) {
    return static_cast<T>(a + b);
  }
};
struct Sub {
  template <class T>
  static T run(T a, T b) {
    return static_cast<T>(a - b);
  }
};
struct MulLo {
  template <class T>
  static T run(T a, T b) {
    return static_cast<T>(static_cast<u64>(a) * static_cast<u64>(b));
  }
};
struct MulHi {
  template <class T>
  static T run(T a, T b) {
    if constexpr (sizeof(T) == 8) {
      using Wide = std::conditional_t<std::is_signed_v<T>, __int128, unsigned __int128>;
      return static_cast<T>((static_cast<Wide>(a) * b) >> 64);
    } else {
      using Wide = std::conditional_t<std::is_signed_v<T>, i64, u64>;
      return static_cast<T>((static_cast<Wide>(a) * static_cast<Wide>(b)) >> (8 * sizeof(T)));
    }
  }
};
struct MadLo {
  template <class T>
  static T run(T a, T b, T c) {
    return static_cast<T>(MulLo::run(a, b) + c);
  }
};
struct MadHi {
  template <class T>
  static T run(T a, T b, T c) {
    return static_cast<T>(MulHi::run(a, b) + c);
  }
};
// Division by zero gives all ones, a remainder by zero the dividend; the overflowing quotient wraps.
struct Div {
  template <class T>
  static T run(T a, T b) {
    if (b == 0) return static_cast<T>(-1);
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return static_cast<T>(0 - a);
    return static_cast<T>(a / b);
  }
};
struct Rem {
  template <class T>
  static T run(T a, T b) {
    if (b == 0) return a;
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
    return static_cast<T>(a % b);
  }
};
struct Min {
  template <class T>
  static T run(T a, T b) {
    return std::min(a, b);
  }
};
struct Max {
  template <class T>
  static T run(T a, T b) {
    return std::max(a, b);
  }
};
struct Abs {
  template <class T>
  static T run(T a) {
    return a < 0 ? static_cast<T>(0 - a) : a;
  }
};
struct Neg {
  template <class T>
  static T run(T a) {
    return static_cast<T>(0 - a);
  }
};
struct Sad {
  template <class T>
  static T run(T a, T b, T c) {
    return static_cast<T>(c + (a < b ? b - a : a - b));
  }
};

template <class Op>
Handler binaryOf(Ty t) {
  return forInteger(t, []<class T>(T) -> Handler { return binary<T, T, T, Op>; });
}
template <class Op>
Handler ternaryOf(Ty t) {
  return forInteger(t, []<class T>(T) -> Handler { return ternary<T, T, T, T, Op>; });
}

// The product has twice the bits of the factors.
template <class N, class W>
struct MulWide {
  static W run(N a, N b) { return static_cast<W>(a) * static_cast<W>(b); }
};
template <class N, class W>
struct MadWide {
  static W run(N a, N b, W c) { return static_cast<W>(a) * static_cast<W>(b) + c; }
};

void buildWide(Builder &b, Ty t, bool add) {
  struct Row {
    Ty narrow, wide;
    Handler mul, mad;
  };
  static const Row rows[] = {
      {Ty::u16, Ty::u32, binary<u32, u16, u16, MulWide<u16, u32>>, ternary<u32, u16, u16, u32, MadWide<u16, u32>>},
      {Ty::s16, Ty::s32, binary<i32, i16, i16, MulWide<i16, i32>>, ternary<i32, i16, i16, i32, MadWide<i16, i32>>},
      {Ty::u32, Ty::u64, binary<u64, u32, u32, MulWide<u32, u64>>, ternary<u64, u32, u32, u64, MadWide<u32, u64>>},
      {Ty::s32, Ty::s64, binary<i64, i32, i32, MulWide<i32, i64>>, ternary<i64, i32, i32, i64, MadWide<i32, i64>>},
  };
  for (const Row &r : rows) {
    if (r.narrow != t) continue;
    b.expectOperands(add ? 4 : 3, add ? 4 : 3);
    b.ins.d = b.dst(0, r.wide), b.ins.a = b.src(1, t), b.ins.b = b.src(2, t);
    if (add) b.ins.c = b.src(3, r.wide);
    return b.emit(add ? r.mad : r.mul);
  }
  b.fail("this type is not supported");
}

void buildMul(Builder &b) {
  int part = b.oneOf({"lo", "hi", "wide"});
  Ty t = b.type();
  if (part < 0) b.fail("needs .lo, .hi or .wide");
  if (part == 2) return buildWide(b, t, false);
  emitBinary(b, t, part == 0 ? binaryOf<MulLo>(t) : binaryOf<MulHi>(t));
}

void buildMad(Builder &b) {
  int part = b.oneOf({"lo", "hi", "wide"});
  Ty t = b.type();
  if (part < 0) b.fail("needs .lo, .hi or .wide");
  if (part == 2) return buildWide(b, t, true);
  emitTernary(b, t, part == 0 ? ternaryOf<MadLo>(t) : ternaryOf<MadHi>(t));
}

// The carry flag of a warp lives in a register of its own: aux bit 0 = reads it, bit 1 = writes it.
template <class T, bool SUBTRACT>
void withCarry(Warp &w, const Ins &i, u32 m) {
  T *d = w.dst<T>(i.d);
  const T *a = w.src<T>(i.a), *b = w.src<T>(i.b);
  u32 in = i.aux & 1 ? w.pred(i.c) : 0, out = 0;
  lanes(m, [&](u32 l) {
    using Wide = unsigned __int128;
    Wide carry = in >> l & 1;
    Wide x = SUBTRACT ? static_cast<Wide>(a[l]) - b[l] - carry : static_cast<Wide>(a[l]) + b[l] + carry;
    d[l] = static_cast<T>(x);
    out |= static_cast<u32>(x >> (8 * sizeof(T)) & 1) << l;
  });
  if (i.aux & 2) w.setPred(i.c, m, out);
}

void buildCarry(Builder &b, bool subtract, bool reads) {
  bool writes = b.mod("cc");
  Ty t = b.type();
  Handler fn = sizeOf(t) == 4   ? (subtract ? withCarry<u32, true> : withCarry<u32, false>)
               : sizeOf(t) == 8 ? (subtract ? withCarry<u64, true> : withCarry<u64, false>)
                                : nullptr;
  b.ins.c = b.kernel.special("carry");
  b.ins.aux = static_cast<u8>((reads ? 1 : 0) | (writes ? 2 : 0));
  emitBinary(b, t, fn);
}

void buildAddc(Builder &b) { buildCarry(b, false, true); }
void buildSubc(Builder &b) { buildCarry(b, true, true); }

void buildAdd(Builder &b) {
  if (std::find(b.s.mods.begin(), b.s.mods.end(), "cc") != b.s.mods.end()) return buildCarry(b, false, false);
  Ty t = b.type();
  emitBinary(b, t, binaryOf<Add>(t));
}

void buildSub(Builder &b) {
  if (std::find(b.s.mods.begin(), b.s.mods.end(), "cc") != b.s.mods.end()) return buildCarry(b, true, false);
  Ty t = b.type();
  emitBinary(b, t, binaryOf<Sub>(t));
}

template <class Op>
void buildBinary(Builder &b) {
  Ty t = b.type();
  emitBinary(b, t, binaryOf<Op>(t));
}

void buildSad(Builder &b) {
  Ty t = b.type();
  emitTernary(b, t, ternaryOf<Sad>(t));
}

template <class Op>
void buildSigned(Builder &b) {
  Ty t = b.type();
  emitUnary(b, t, !isSigned(t) ? nullptr : forInteger(t, []<class T>(T) -> Handler { return unary<T, T, Op>; }));
}

template <class T>
struct Popc {
  static u32 run(T a) { return static_cast<u32>(__builtin_popcountll(a)); }
};
template <class T>
struct Clz {
  static u32 run(T a) { return a ? static_cast<u32>(__builtin_clzll(a)) - (64 - 8 * sizeof(T)) : 8 * sizeof(T); }
};
template <class T>
struct Brev {
  static T run(T a) {
    T r = 0;
    for (u32 k = 0; k < 8 * sizeof(T); ++k) r |= static_cast<T>((a >> k & 1) << (8 * sizeof(T) - 1 - k));
    return r;
  }
};
// The highest bit that differs from the sign, or all ones.
template <class T, bool SHIFT_AMOUNT>
struct Bfind {
  static u32 run(T a) {
    if (std::is_signed_v<T> && a < 0) a = static_cast<T>(~a);
    if (a == 0) return ~0u;
    u32 at = 63 - static_cast<u32>(__builtin_clzll(static_cast<u64>(a)));
    return SHIFT_AMOUNT ? static_cast<u32>(8 * sizeof(T)) - 1 - at : at;
  }
};

template <template <class> class Op>
void buildCount(Builder &b) {
  Ty t = b.type();
  b.expectOperands(2, 2);
  b.ins.d = b.dst(0, Ty::u32), b.ins.a = b.src(1, t);
  if (t == Ty::b32) return b.emit(unary<u32, u32, Op<u32>>);
  if (t == Ty::b64) return b.emit(unary<u32, u64, Op<u64>>);
  b.fail("this type is not supported");
}

void buildBrev(Builder &b) {
  Ty t = b.type();
  emitUnary(b, t, t == Ty::b32 ? unary<u32, u32, Brev<u32>> : t == Ty::b64 ? unary<u64, u64, Brev<u64>> : nullptr);
}

void buildBfind(Builder &b) {
  bool amount = b.mod("shiftamt");
  Ty t = b.type();
  b.expectOperands(2, 2);
  b.ins.d = b.dst(0, Ty::u32), b.ins.a = b.src(1, t);
  Handler fn = forInteger(t, [&]<class T>(T) -> Handler {
    return amount ? unary<u32, T, Bfind<T, true>> : unary<u32, T, Bfind<T, false>>;
  });
  if (!fn || sizeOf(t) < 4) b.fail("this type is not supported");
  b.emit(fn);
}

// Bits pos .. pos+len-1, sign-extended for signed types; bits beyond the top count as the sign.
template <class T>
struct Bfe {
  static T run(T a, u32 pos, u32 len) {
    constexpr u32 BITS = 8 * sizeof(T);
    pos &= 0xff, len &= 0xff;
    if (len == 0) return 0;
    bool sign = false;
    if (std::is_signed_v<T>) sign = static_cast<u64>(a) >> std::min(pos + len - 1, BITS - 1) & 1;
    T r = 0;
    for (u32 k = 0; k < BITS; ++k) {
      bool bit = k < len && pos + k < BITS ? static_cast<u64>(a) >> (pos + k) & 1 : sign;
      r = static_cast<T>(static_cast<u64>(r) | static_cast<u64>(bit) << k);
    }
    return r;
  }
};

void buildBfe(Builder &b) {
  Ty t = b.type();
  b.expectOperands(4, 4);
  b.ins.d = b.dst(0, t), b.ins.a = b.src(1, t), b.ins.b = b.src(2, Ty::u32), b.ins.c = b.src(3, Ty::u32);
  Handler fn = forInteger(t, []<class T>(T) -> Handler { return ternary<T, T, u32, u32, Bfe<T>>; });
  if (!fn || sizeOf(t) < 4) b.fail("this type is not supported");
  b.emit(fn);
}

template <class T>
void bfi(Warp &w, const Ins &i, u32 m) {
  T *d = w.dst<T>(i.d);
  const T *a = w.src<T>(i.a), *b = w.src<T>(i.b);
  const u32 *pos = w.src<u32>(i.c), *len = w.src<u32>(static_cast<Ref>(i.imm));
  lanes(m, [=](u32 l) {
    constexpr u32 BITS = 8 * sizeof(T);
    u32 p = pos[l] & 0xff, n = len[l] & 0xff;
    T mask = p >= BITS || n == 0 ? T{0} : static_cast<T>((n >= BITS ? ~T{0} : (T{1} << n) - 1) << p);
    d[l] = static_cast<T>((b[l] & ~mask) | ((p >= BITS ? T{0} : a[l] << p) & mask));
  });
}

void buildBfi(Builder &b) {
  Ty t = b.type();
  b.expectOperands(5, 5);
  b.ins.d = b.dst(0, t), b.ins.a = b.src(1, t), b.ins.b = b.src(2, t), b.ins.c = b.src(3, Ty::u32);
  b.ins.imm = b.src(4, Ty::u32);
  if (t != Ty::b32 && t != Ty::b64) b.fail("this type is not supported");
  b.emit(t == Ty::b32 ? bfi<u32> : bfi<u64>);
}

const Op OPS[] = {
    {"addc", buildAddc},        {"subc", buildSubc},      {"sad", buildSad},   {"rem", buildBinary<Rem>},
    {"popc", buildCount<Popc>}, {"clz", buildCount<Clz>}, {"brev", buildBrev}, {"bfind", buildBfind},
    {"bfe", buildBfe},          {"bfi", buildBfi},
};

}  // namespace

void buildIntegerArith(Builder &b) {
  static const std::map<std::string, void (*)(Builder &)> table = {
      {"add", buildAdd},         {"sub", buildSub},         {"mul", buildMul},
      {"mad", buildMad},         {"div", buildBinary<Div>}, {"min", buildBinary<Min>},
      {"max", buildBinary<Max>}, {"abs", buildSigned<Abs>}, {"neg", buildSigned<Neg>}};
  auto it = table.find(std::string(b.s.op));
  if (it == table.end()) b.fail("this type is not supported");
  it->second(b);
}

OpList integerOps() { return {OPS, sizeof OPS / sizeof OPS[0]}; }

}  // namespace leetemu
