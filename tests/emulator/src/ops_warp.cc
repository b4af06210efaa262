// Instructions between the lanes of a warp: shfl, vote, match, redux, activemask, elect.
#include <algorithm>

#include "ops.h"

namespace leetemu {
namespace {

enum Shuffle : int { UP, DOWN, BFLY, IDX };

// c holds the clamp in bits 0-4 and the segment mask in bits 8-12; the predicate says whether the source is in range.
template <int MODE>
void shfl(Warp &w, const Ins &i, u32 m) {
  u32 a[WARP], r[WARP], inRange = 0;
  memcpy(a, w.src<u32>(i.a), sizeof a);
  memcpy(r, a, sizeof r);
  const u32 *bp = w.src<u32>(w.lists[i.list]), *cp = w.src<u32>(i.c);
  lanes(m, [&](u32 l) {
    u32 b = bp[l] & 31, clamp = cp[l] & 31, segment = cp[l] >> 8 & 31;
    u32 maxLane = (l & segment) | (clamp & ~segment), minLane = l & segment;
    i32 j = 0;
    bool p = false;
    if (MODE == UP) j = static_cast<i32>(l) - static_cast<i32>(b), p = j >= static_cast<i32>(maxLane);
    if (MODE == DOWN) j = static_cast<i32>(l + b), p = j <= static_cast<i32>(maxLane);
    if (MODE == BFLY) j = static_cast<i32>(l ^ b), p = j <= static_cast<i32>(maxLane);
    if (MODE == IDX) j = static_cast<i32>(minLane | (b & ~segment)), p = j <= static_cast<i32>(maxLane);
    if (!p) j = static_cast<i32>(l);
    // A lane outside of the member mask gives nothing that may be used.
    r[l] = m >> j & 1 ? a[j] : 0xdeadbeef;
    inRange |= static_cast<u32>(p) << l;
  });
  u32 *d = w.dst<u32>(i.d);
  lanes(m, [&](u32 l) { d[l] = r[l]; });
  if (i.count > 1) w.setPred(w.lists[i.list + 1], m, inRange);
}

void buildShfl(Builder &b) {
  b.need("sync");
  int mode = b.oneOf({"up", "down", "bfly", "idx"});
  if (mode < 0) b.fail("needs .up, .down, .bfly or .idx");
  b.need("b32");
  b.expectOperands(5, 5);
  const Operand &d = b.operand(0);
  std::vector<Ref> list = {b.src(2, Ty::b32)};
  if (d.kind == Operand::pair) {
    b.ins.d = b.dstOf(d.parts[0], Ty::b32);
    list.push_back(b.dstOf(d.parts[1], Ty::pred));
  } else {
    b.ins.d = b.dst(0, Ty::b32);
  }
  b.setList(list);
  b.ins.a = b.src(1, Ty::b32), b.ins.c = b.src(3, Ty::b32), b.ins.b = b.src(4, Ty::b32);
  constexpr Handler FNS[] = {shfl<UP>, shfl<DOWN>, shfl<BFLY>, shfl<IDX>};
  b.ins.fn = FNS[mode];
  b.emit(Flow::converge);
}

enum Vote : int { ALL, ANY, UNI, BALLOT };

template <int MODE>
void vote(Warp &w, const Ins &i, u32 m) {
  u32 p = (w.pred(i.a) ^ (i.aux & 2 ? ALL_LANES : 0)) & m;
  if (MODE == BALLOT) {
    u32 *d = w.dst<u32>(i.d);
    lanes(m, [=](u32 l) { d[l] = p; });
    return;
  }
  bool r = MODE == ALL ? p == m : MODE == ANY ? p != 0 : p == 0 || p == m;
  w.setPred(i.d, m, r ? ALL_LANES : 0);
}

void buildVote(Builder &b) {
  b.need("sync");
  int mode = b.oneOf({"all", "any", "uni", "ballot"});
  if (mode < 0) b.fail("needs .all, .any, .uni or .ballot");
  b.need(mode == BALLOT ? "b32" : "pred");
  b.expectOperands(3, 3);
  bool negated = false;
  b.ins.d = b.dst(0, mode == BALLOT ? Ty::b32 : Ty::pred);
  b.ins.a = b.predicate(b.operand(1), &negated), b.ins.b = b.src(2, Ty::b32);
  b.ins.aux = negated ? 2 : 0;
  constexpr Handler FNS[] = {vote<ALL>, vote<ANY>, vote<UNI>, vote<BALLOT>};
  b.ins.fn = FNS[mode];
  b.emit(Flow::converge);
}

// d|p: the lanes with the same value (any), or all lanes and whether they agree (all).
template <class T, bool EVERY>
void match(Warp &w, const Ins &i, u32 m) {
  T a[WARP];
  memcpy(a, w.src<T>(i.a), sizeof a);
  u32 *d = w.dst<u32>(i.d), agree = 0;
  lanes(m, [&](u32 l) {
    u32 same = 0;
    lanes(m, [&](u32 k) { same |= static_cast<u32>(a[k] == a[l]) << k; });
    d[l] = EVERY ? (same == m ? m : 0) : same;
    agree |= static_cast<u32>(same == m) << l;
  });
  if (i.count) w.setPred(w.lists[i.list], m, agree);
}

void buildMatch(Builder &b) {
  int mode = b.oneOf({"any", "all"});
  b.need("sync");
  Ty t = b.type();
  b.expectOperands(3, 3);
  if (mode < 0 || (t != Ty::b32 && t != Ty::b64)) b.fail("needs .any or .all and .b32 or .b64");
  const Operand &d = b.operand(0);
  if (d.kind == Operand::pair) {
    b.ins.d = b.dstOf(d.parts[0], Ty::b32);
    b.setList({b.dstOf(d.parts[1], Ty::pred)});
  } else {
    b.ins.d = b.dst(0, Ty::b32);
  }
  b.ins.a = b.src(1, t), b.ins.b = b.src(2, Ty::b32);
  b.ins.fn =
      t == Ty::b32 ? (mode ? match<u32, true> : match<u32, false>) : (mode ? match<u64, true> : match<u64, false>);
  b.emit(Flow::converge);
}

struct Sum {
  template <class T>
  static T run(T a, T b) {
    return a + b;
  }
};
struct Least {
  template <class T>
  static T run(T a, T b) {
    return std::min(a, b);
  }
};
struct Most {
  template <class T>
  static T run(T a, T b) {
    return std::max(a, b);
  }
};
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

template <class T, class Op>
void redux(Warp &w, const Ins &i, u32 m) {
  const T *a = w.src<T>(i.a);
  T r = a[__builtin_ctz(m)];
  for (u32 rest = m & (m - 1); rest; rest &= rest - 1) r = Op::run(r, a[__builtin_ctz(rest)]);
  T *d = w.dst<T>(i.d);
  lanes(m, [=](u32 l) { d[l] = r; });
}

void buildRedux(Builder &b) {
  b.need("sync");
  int op = b.oneOf({"add", "min", "max", "and", "or", "xor"});
  Ty t = b.type();
  b.expectOperands(3, 3);
  struct Row {
    Handler s32, u32_, b32;
  };
  const Row rows[] = {{redux<i32, Sum>, redux<u32, Sum>, nullptr},
                      {redux<i32, Least>, redux<u32, Least>, nullptr},
                      {redux<i32, Most>, redux<u32, Most>, nullptr},
                      {nullptr, nullptr, redux<u32, And>},
                      {nullptr, nullptr, redux<u32, Or>},
                      {nullptr, nullptr, redux<u32, Xor>}};
  if (op < 0) b.fail("unknown reduction");
  b.ins.fn = t == Ty::s32 ? rows[op].s32 : t == Ty::u32 ? rows[op].u32_ : t == Ty::b32 ? rows[op].b32 : nullptr;
  if (!b.ins.fn) b.fail("this type is not supported");
  b.ins.d = b.dst(0, t), b.ins.a = b.src(1, t), b.ins.b = b.src(2, Ty::b32);
  b.emit(Flow::converge);
}

void buildActivemask(Builder &b) {
  b.need("b32");
  b.expectOperands(1, 1);
  b.ins.d = b.dst(0, Ty::b32);
  b.emit([](Warp &w, const Ins &i, u32 m) {
    u32 *d = w.dst<u32>(i.d);
    lanes(m, [=](u32 l) { d[l] = m; });
  });
}

const Op OPS[] = {
    {"shfl", buildShfl},
    {"vote", buildVote},
    {"match", buildMatch},
    {"redux", buildRedux},
    {"activemask", buildActivemask},
};

}  // namespace

OpList warpOps() { return {OPS, sizeof OPS / sizeof OPS[0]}; }

}  // namespace leetemu
