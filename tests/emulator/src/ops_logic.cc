// Logic, shifts, byte permutation, selection and mov.
#include <algorithm>

#include "ops.h"

namespace leetemu {
namespace {

struct And {
  template <class T>
  static T run(T a, T b) {
    return a & b;
  }
};
struct Or {
  template <class T>
  static T run(T a, T b) {
    return a | b;
  }
};
struct Xor {
  template <class T>
  static T run(T a, T b) {
    return a ^ b;
  }
};

// Predicates are one bit per lane in one word.
template <class Op>
void predicateBinary(Warp &w, const Ins &i, u32 m) {
  u32 a = w.pred(i.a) ^ (i.aux & 1 ? ALL_LANES : 0), b = w.pred(i.b) ^ (i.aux & 2 ? ALL_LANES : 0);
  w.setPred(i.d, m, Op::run(a, b));
}

template <class Op>
void buildLogic(Builder &b) {
  Ty t = b.type();
  if (t != Ty::pred)
    return emitBinary(b, t,
                      isFloat(t) ? nullptr : forBits(t, []<class T>(T) -> Handler { return binary<T, T, T, Op>; }));
  b.expectOperands(3, 3);
  bool na = false, nb = false;
  b.ins.d = b.dst(0, t), b.ins.a = b.predicate(b.operand(1), &na), b.ins.b = b.predicate(b.operand(2), &nb);
  b.ins.aux = static_cast<u8>((na ? 1 : 0) | (nb ? 2 : 0));
  b.emit(predicateBinary<Op>);
}

struct Not {
  template <class T>
  static T run(T a) {
    return static_cast<T>(~a);
  }
};
struct Cnot {
  template <class T>
  static T run(T a) {
    return a == 0;
  }
};

void predicateMove(Warp &w, const Ins &i, u32 m) { w.setPred(i.d, m, w.pred(i.a) ^ (i.aux & 1 ? ALL_LANES : 0)); }

void buildPredicateMove(Builder &b, bool invert) {
  bool n = false;
  b.expectOperands(2, 2);
  b.ins.d = b.dst(0, Ty::pred), b.ins.a = b.predicate(b.operand(1), &n);
  b.ins.aux = n != invert;
  b.emit(predicateMove);
}

void buildNot(Builder &b) {
  Ty t = b.type();
  if (t == Ty::pred) return buildPredicateMove(b, true);
  emitUnary(b, t, forBits(t, []<class T>(T) -> Handler { return unary<T, T, Not>; }));
}

void buildCnot(Builder &b) {
  Ty t = b.type();
  emitUnary(b, t, forBits(t, []<class T>(T) -> Handler { return unary<T, T, Cnot>; }));
}

// Amounts of the width and more shift everything out.
struct Shl {
  template <class T>
  static T run(T a, u32 n) {
    return n >= 8 * sizeof(T) ? T{0} : static_cast<T>(a << n);
  }
};
struct Shr {
  template <class T>
  static T run(T a, u32 n) {
    u32 top = 8 * sizeof(T);
    if (n >= top) return std::is_signed_v<T> && a < 0 ? static_cast<T>(-1) : T{0};
    return static_cast<T>(a >> n);
  }
};

template <class Op>
void buildShift(Builder &b) {
  Ty t = b.type();
  Handler fn = forInteger(t, []<class T>(T) -> Handler { return binary<T, T, u32, Op>; });
  b.expectOperands(3, 3);
  if (!fn) b.fail("this type is not supported");
  b.ins.d = b.dst(0, t), b.ins.a = b.src(1, t), b.ins.b = b.src(2, Ty::u32);
  b.emit(fn);
}

// The 64 bits b:a shifted; left gives the high word, right the low word.
template <bool LEFT, bool CLAMP>
struct Funnel {
  static u32 run(u32 a, u32 b, u32 c) {
    u32 n = CLAMP ? std::min(c, 32u) : c & 31;
    u64 both = static_cast<u64>(b) << 32 | a;
    return LEFT ? static_cast<u32>((n == 32 ? static_cast<u64>(a) << 32 : both << n) >> 32)
                : static_cast<u32>(both >> n);
  }
};

void buildShf(Builder &b) {
  int left = b.oneOf({"r", "l"}), clamp = b.oneOf({"wrap", "clamp"});
  b.need("b32");
  if (left < 0 || clamp < 0) b.fail("needs .l or .r, and .wrap or .clamp");
  Handler fns[2][2] = {
      {ternary<u32, u32, u32, u32, Funnel<false, false>>, ternary<u32, u32, u32, u32, Funnel<false, true>>},
      {ternary<u32, u32, u32, u32, Funnel<true, false>>, ternary<u32, u32, u32, u32, Funnel<true, true>>}};
  emitTernary(b, Ty::b32, fns[left][clamp]);
}

// Each nibble of c picks one of the eight bytes b:a; its top bit asks for the sign of that byte instead.
struct Prmt {
  static u32 run(u32 a, u32 b, u32 c) {
    u64 bytes = static_cast<u64>(b) << 32 | a;
    u32 r = 0;
    for (u32 k = 0; k < 4; ++k) {
      u32 pick = c >> (4 * k) & 15, byte = static_cast<u32>(bytes >> (8 * (pick & 7))) & 0xff;
      if (pick & 8) byte = byte & 0x80 ? 0xff : 0;
      r |= byte << (8 * k);
    }
    return r;
  }
};

void buildPrmt(Builder &b) {
  b.need("b32");
  emitTernary(b, Ty::b32, ternary<u32, u32, u32, u32, Prmt>);
}

void lop3(Warp &w, const Ins &i, u32 m) {
  u32 *d = w.dst<u32>(i.d);
  const u32 *a = w.src<u32>(i.a), *b = w.src<u32>(i.b), *c = w.src<u32>(i.c);
  u32 table = static_cast<u32>(i.imm);
  lanes(m, [=](u32 l) {
    u32 r = 0;
    for (u32 k = 0; k < 8; ++k)
      if (table >> k & 1) r |= (k & 4 ? a[l] : ~a[l]) & (k & 2 ? b[l] : ~b[l]) & (k & 1 ? c[l] : ~c[l]);
    d[l] = r;
  });
}

void buildLop3(Builder &b) {
  b.need("b32");
  b.expectOperands(5, 5);
  u64 table = 0;
  if (!b.immediate(b.operand(4), &table)) b.fail("the table must be an immediate");
  b.ins.d = b.dst(0, Ty::b32), b.ins.a = b.src(1, Ty::b32), b.ins.b = b.src(2, Ty::b32), b.ins.c = b.src(3, Ty::b32);
  b.ins.imm = static_cast<i64>(table);
  b.emit(lop3);
}

template <class T>
void selp(Warp &w, const Ins &i, u32 m) {
  T *d = w.dst<T>(i.d);
  const T *a = w.src<T>(i.a), *b = w.src<T>(i.b);
  u32 p = w.pred(i.c) ^ (i.aux & 1 ? ALL_LANES : 0);
  lanes(m, [=](u32 l) { d[l] = p >> l & 1 ? a[l] : b[l]; });
}

void buildSelp(Builder &b) {
  Ty t = b.type();
  b.expectOperands(4, 4);
  bool n = false;
  b.ins.d = b.dst(0, t), b.ins.a = b.src(1, t), b.ins.b = b.src(2, t), b.ins.c = b.predicate(b.operand(3), &n);
  b.ins.aux = n;
  Handler fn = forBits(t, []<class T>(T) -> Handler { return selp<T>; });
  if (!fn) b.fail("this type is not supported");
  b.emit(fn);
}

struct Same {
  template <class T>
  static T run(T a) {
    return a;
  }
};

// Several small registers from one large one, or the reverse. count parts; aux = bytes of one part.
void unpack(Warp &w, const Ins &i, u32 m) {
  const u8 *a = w.src<u8>(i.a);
  for (u32 k = 0; k < i.count; ++k) {
    u8 *d = w.dst<u8>(w.lists[i.list + k]);
    lanes(m, [&](u32 l) { memcpy(d + l * i.aux, a + l * i.size + k * i.aux, i.aux); });
  }
}

void pack(Warp &w, const Ins &i, u32 m) {
  alignas(64) u8 whole[WARP * 8];
  for (u32 k = 0; k < i.count; ++k) {
    const u8 *a = w.src<u8>(w.lists[i.list + k]);
    lanes(m, [&](u32 l) { memcpy(whole + l * i.size + k * i.aux, a + l * i.aux, i.aux); });
  }
  u8 *d = w.dst<u8>(i.d);
  lanes(m, [&](u32 l) { memcpy(d + l * i.size, whole + l * i.size, i.size); });
}

void buildMovVector(Builder &b, Ty t, bool packs) {
  const Operand &v = b.operand(packs ? 1 : 0);
  u32 part = sizeOf(t) / static_cast<u32>(v.parts.size());
  Ty partType = part == 2 ? Ty::b16 : part == 4 ? Ty::b32 : Ty::none;
  if (partType == Ty::none || part * v.parts.size() != sizeOf(t)) b.fail("these parts are not supported");
  std::vector<Ref> refs;
  for (const Operand &o : v.parts) refs.push_back(packs ? b.srcOf(o, partType) : b.dstOf(o, partType));
  b.setList(refs);
  b.ins.aux = static_cast<u8>(part), b.ins.size = static_cast<u8>(sizeOf(t));
  if (packs) b.ins.d = b.dst(0, t);
  else b.ins.a = b.src(1, t);
  b.emit(packs ? pack : unpack);
}

template <class T>
void clockMove(Warp &w, const Ins &i, u32 m) {
  T *d = w.dst<T>(i.d);
  u64 now = w.cta->launch->executed;
  lanes(m, [=](u32 l) { d[l] = static_cast<T>(now >> i.aux); });
}

bool buildClock(Builder &b, Ty t) {
  const std::string &n = b.operand(1).name;
  bool high = n == "clock_hi" || n == "globaltimer_hi";
  bool is64 = n == "clock64" || n == "globaltimer";
  if (!is64 && !high && n != "clock" && n != "globaltimer_lo") return false;
  if (sizeOf(t) != (is64 ? 8 : 4)) b.fail("%" + n + " has another size");
  b.ins.d = b.dst(0, t);
  b.ins.aux = high ? 32 : 0;
  b.emit(is64 ? clockMove<u64> : clockMove<u32>);
  return true;
}

void buildMov(Builder &b) {
  Ty t = b.type();
  if (t == Ty::pred) return buildPredicateMove(b, false);
  b.expectOperands(2, 2);
  if (b.operand(0).kind == Operand::vec) return buildMovVector(b, t, false);
  if (b.operand(1).kind == Operand::vec) return buildMovVector(b, t, true);
  if (b.operand(1).kind == Operand::special && buildClock(b, t)) return;
  emitUnary(b, t, forBits(t, []<class T>(T) -> Handler { return unary<T, T, Same>; }));
}

const Op OPS[] = {
    {"and", buildLogic<And>}, {"or", buildLogic<Or>},   {"xor", buildLogic<Xor>}, {"not", buildNot},
    {"cnot", buildCnot},      {"shl", buildShift<Shl>}, {"shr", buildShift<Shr>}, {"shf", buildShf},
    {"prmt", buildPrmt},      {"lop3", buildLop3},      {"selp", buildSelp},      {"mov", buildMov},
};

}  // namespace

OpList logicOps() { return {OPS, sizeof OPS / sizeof OPS[0]}; }

}  // namespace leetemu
