// atom and red: read, combine, write, one lane after the other.
#include <algorithm>
#include <cmath>

#include "access.h"
#include "config.h"
#include "half.h"
#include "ops.h"

namespace leetemu {
namespace {

struct Add {
  template <class T>
  static T run(T old, T b, T) {
    return static_cast<T>(old + b);
  }
};
struct And {
  template <class T>
  static T run(T old, T b, T) {
    return old & b;
  }
};
struct Or {
  template <class T>
  static T run(T old, T b, T) {
    return old | b;
  }
};
struct Xor {
  template <class T>
  static T run(T old, T b, T) {
    return old ^ b;
  }
};
struct Exch {
  template <class T>
  static T run(T, T b, T) {
    return b;
  }
};
struct Cas {
  template <class T>
  static T run(T old, T b, T c) {
    return old == b ? c : old;
  }
};
struct Min {
  template <class T>
  static T run(T old, T b, T) {
    return std::min(old, b);
  }
};
struct Max {
  template <class T>
  static T run(T old, T b, T) {
    return std::max(old, b);
  }
};
struct Inc {
  template <class T>
  static T run(T old, T b, T) {
    return old >= b ? T{0} : static_cast<T>(old + 1);
  }
};
struct Dec {
  template <class T>
  static T run(T old, T b, T) {
    return old == 0 || old > b ? b : static_cast<T>(old - 1);
  }
};
struct AddHalf {
  static u16 run(u16 old, u16 b, u16) { return toHalf(fromHalf(old) + fromHalf(b)); }
};
struct AddBf16 {
  static u16 run(u16 old, u16 b, u16) { return toBf16(fromBf16(old) + fromBf16(b)); }
};
template <class Part>
struct Pair {
  static u32 run(u32 old, u32 b, u32) {
    return Part::run(static_cast<u16>(old), static_cast<u16>(b), 0) |
           static_cast<u32>(Part::run(static_cast<u16>(old >> 16), static_cast<u16>(b >> 16), 0)) << 16;
  }
};
// f32 additions in global memory flush subnormal numbers, those in shared memory keep them.
struct AddFlushed {
  static float flushed(float x) { return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x; }
  static float run(float old, float b, float) { return flushed(flushed(old) + flushed(b)); }
};

template <class T, class Op>
void atomic(Warp &w, const Ins &i, u32 m) {
  Addresses a;
  Places p;
  gather(w, i, m, a);
  resolve(w, i, i.space, m, a, sizeof(T), Use::atomic, p);
  const T *b = w.src<T>(i.b), *c = w.src<T>(i.c == NO_REF ? i.b : i.c);
  T *d = i.d == NO_REF ? nullptr : w.dst<T>(i.d);
  bool backwards = config().order == Order::reverse;
  for (u32 k = 0; k < WARP; ++k) {
    u32 l = backwards ? WARP - 1 - k : k;
    if (!(m >> l & 1)) continue;
    T old, next;
    memcpy(&old, p.lane[l], sizeof old);
    next = Op::run(old, b[l], c[l]);
    memcpy(p.lane[l], &next, sizeof next);
    if (d) d[l] = old;
  }
}

struct Row {
  const char *op;
  Ty type;
  Handler fn;
};
const Row ROWS[] = {
    {"add", Ty::u32, atomic<u32, Add>},
    {"add", Ty::s32, atomic<u32, Add>},
    {"add", Ty::u64, atomic<u64, Add>},
    {"add", Ty::f64, atomic<double, Add>},
    {"add", Ty::f16, atomic<u16, AddHalf>},
    {"add", Ty::bf16, atomic<u16, AddBf16>},
    {"add", Ty::f16x2, atomic<u32, Pair<AddHalf>>},
    {"add", Ty::bf16x2, atomic<u32, Pair<AddBf16>>},
    {"and", Ty::b32, atomic<u32, And>},
    {"and", Ty::b64, atomic<u64, And>},
    {"or", Ty::b32, atomic<u32, Or>},
    {"or", Ty::b64, atomic<u64, Or>},
    {"xor", Ty::b32, atomic<u32, Xor>},
    {"xor", Ty::b64, atomic<u64, Xor>},
    {"exch", Ty::b32, atomic<u32, Exch>},
    {"exch", Ty::b64, atomic<u64, Exch>},
    {"cas", Ty::b16, atomic<u16, Cas>},
    {"cas", Ty::b32, atomic<u32, Cas>},
    {"cas", Ty::b64, atomic<u64, Cas>},
    {"min", Ty::u32, atomic<u32, Min>},
    {"min", Ty::s32, atomic<i32, Min>},
    {"min", Ty::u64, atomic<u64, Min>},
    {"min", Ty::s64, atomic<i64, Min>},
    {"max", Ty::u32, atomic<u32, Max>},
    {"max", Ty::s32, atomic<i32, Max>},
    {"max", Ty::u64, atomic<u64, Max>},
    {"max", Ty::s64, atomic<i64, Max>},
    {"inc", Ty::u32, atomic<u32, Inc>},
    {"dec", Ty::u32, atomic<u32, Dec>},
};

Handler find(const std::string &op, Ty t, Space space) {
  if (op == "add" && t == Ty::f32) return space == Space::shared ? atomic<float, Add> : atomic<float, AddFlushed>;
  for (const Row &r : ROWS)
    if (op == r.op && t == r.type) return r.fn;
  return nullptr;
}

void build(Builder &b, bool returns) {
  b.ignore({"relaxed", "acquire", "release", "acq_rel", "cta", "gpu", "sys", "noftz"});
  int space = b.oneOf({"global", "shared", "shared::cta"});
  Space where = space < 0 ? Space::generic : space == 0 ? Space::global : Space::shared;
  static const char *const names[] = {"add", "and", "or", "xor", "exch", "cas", "min", "max", "inc", "dec"};
  std::string op;
  for (const char *name : names)
    if (op.empty() && b.mod(name)) op = name;
  Ty t = b.type();
  size_t first = returns ? 1 : 0, n = first + (op == "cas" ? 3 : 2);
  b.expectOperands(n, n);
  Handler fn = find(op, t, where);
  if (!fn || (!returns && (op == "cas" || op == "exch"))) b.fail("this operation on this type is not supported");
  if (returns) b.ins.d = b.dst(0, t);
  b.address(first, where);
  b.ins.b = b.src(first + 1, t);
  if (op == "cas") b.ins.c = b.src(first + 2, t);
  b.countAs(std::string(b.s.op) + "." + op);
  b.emit(fn);
}

void buildAtom(Builder &b) { build(b, true); }
void buildRed(Builder &b) { build(b, false); }

const Op OPS[] = {{"atom", buildAtom}, {"red", buildRed}};

}  // namespace

OpList atomicOps() { return {OPS, sizeof OPS / sizeof OPS[0]}; }

}  // namespace leetemu
