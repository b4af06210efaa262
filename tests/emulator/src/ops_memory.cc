// ld, st, cvta, isspacep, prefetch.
#include "access.h"
#include "ops.h"

namespace leetemu {
namespace {

// M = what lies in memory, R = what lies in a register lane.
template <class M, class R>
void load(Warp &w, const Ins &i, u32 m) {
  Addresses a;
  Places p;
  gather(w, i, m, a);
  resolve(w, i, i.space, m, a, sizeof(M) * i.count, Use::read, p);
  for (u32 k = 0; k < i.count; ++k) {
    R *d = w.dst<R>(w.lists[i.list + k]);
    lanes(m, [&](u32 l) {
      M x;
      memcpy(&x, p.lane[l] + k * sizeof(M), sizeof x);
      d[l] = static_cast<R>(x);
    });
  }
}

template <class M, class R>
bool sameElements(Warp &w, const Ins &i, u32 x, u32 y) {
  for (u32 k = 0; k < i.count; ++k) {
    const R *s = w.src<R>(w.lists[i.list + k]);
    if (static_cast<M>(s[x]) != static_cast<M>(s[y])) return false;
  }
  return true;
}

template <class M, class R>
void store(Warp &w, const Ins &i, u32 m) {
  Addresses a;
  Places p;
  gather(w, i, m, a);
  resolve(w, i, i.space, m, a, sizeof(M) * i.count, Use::write, p, sameElements<M, R>);
  for (u32 k = 0; k < i.count; ++k) {
    const R *s = w.src<R>(w.lists[i.list + k]);
    lanes(m, [&](u32 l) {
      M x = static_cast<M>(s[l]);
      memcpy(p.lane[l] + k * sizeof(M), &x, sizeof x);
    });
  }
}

template <class M>
Handler loadInto(u32 registerBytes) {
  return registerBytes == 2 ? load<M, u16> : registerBytes == 4 ? load<M, u32> : load<M, u64>;
}
template <class M>
Handler storeFrom(u32 registerBytes) {
  return registerBytes == 2 ? store<M, u16> : registerBytes == 4 ? store<M, u32> : store<M, u64>;
}

Handler pickLoad(Ty t, u32 registerBytes) {
  bool s = isSigned(t) && !isFloat(t);
  switch (sizeOf(t)) {
    case 1:
      return s ? loadInto<i8>(registerBytes) : loadInto<u8>(registerBytes);
    case 2:
      return s ? loadInto<i16>(registerBytes) : loadInto<u16>(registerBytes);
    case 4:
      return s ? loadInto<i32>(registerBytes) : loadInto<u32>(registerBytes);
    default:
      return loadInto<u64>(registerBytes);
  }
}

Handler pickStore(Ty t, u32 registerBytes) {
  switch (sizeOf(t)) {
    case 1:
      return storeFrom<u8>(registerBytes);
    case 2:
      return storeFrom<u16>(registerBytes);
    case 4:
      return storeFrom<u32>(registerBytes);
    default:
      return storeFrom<u64>(registerBytes);
  }
}

Space takeSpace(Builder &b) {
  constexpr Space SPACES[] = {Space::global, Space::shared, Space::shared, Space::local,
                              Space::param,  Space::param,  Space::param,  Space::constant};
  int k = b.oneOf({"global", "shared", "shared::cta", "local", "param", "param::entry", "param::func", "const"});
  return k < 0 ? Space::generic : SPACES[k];
}

// Hints change speed, not results. Ordering is stronger here than any of them asks for.
void takeHints(Builder &b) {
  b.ignore({"weak", "volatile", "relaxed", "acquire", "release", "cta", "gpu", "sys", "nc"});
  b.ignore({"ca", "cg", "cs", "cv", "lu", "wb", "wt"});
  b.ignore({"L1::evict_normal", "L1::evict_first", "L1::evict_last", "L1::evict_unchanged", "L1::no_allocate"});
  b.ignore({"L2::64B", "L2::128B", "L2::256B", "L2::evict_first", "L2::evict_last", "L2::evict_normal"});
}

void buildAccess(Builder &b, bool isLoad) {
  Space space = takeSpace(b);
  takeHints(b);
  int vector = b.oneOf({"v2", "v4"});
  bool cached = b.mod("L2::cache_hint");
  Ty t = b.type();
  size_t n = cached ? 3 : 2;
  b.expectOperands(n, n);
  if (t == Ty::b128 || t == Ty::pred) b.fail("this type is not supported");
  const Operand &value = b.operand(isLoad ? 0 : 1);
  u32 lanesWanted = vector < 0 ? 1 : vector == 0 ? 2 : 4;
  if (sizeOf(t) * lanesWanted > 16) b.fail("more than 16 bytes");
  std::vector<Operand> parts = value.kind == Operand::vec ? value.parts : std::vector<Operand>{value};
  if (parts.size() != lanesWanted) b.fail("the vector has another length than the modifier says");
  std::vector<Ref> refs;
  u32 bytes = 0, common = 0;
  for (const Operand &o : parts) {
    refs.push_back(isLoad ? b.dstWide(o, t, &bytes) : b.srcWide(o, t, &bytes));
    if (o.kind == Operand::sink) bytes = common ? common : bytes;
    if (common && bytes != common) b.fail("registers of different sizes in one vector");
    common = bytes;
  }
  b.address(isLoad ? 1 : 0, space);
  b.setList(refs);
  b.ins.size = static_cast<u8>(sizeOf(t));
  b.countAs((isLoad ? "ld" : "st") +
            (b.ins.space == Space::generic ? std::string() : std::string(".") + nameOf(b.ins.space)));
  b.emit(isLoad ? pickLoad(t, common) : pickStore(t, common));
}

void buildLd(Builder &b) { buildAccess(b, true); }
void buildSt(Builder &b) { buildAccess(b, false); }

// Between an address in a space and its generic form; imm is added.
struct Same {
  template <class T>
  static T run(T a) {
    return a;
  }
};
template <class T>
void addWindow(Warp &w, const Ins &i, u32 m) {
  T *d = w.dst<T>(i.d);
  const T *a = w.src<T>(i.a);
  T offset = static_cast<T>(i.imm);
  lanes(m, [=](u32 l) { d[l] = static_cast<T>(a[l] + offset); });
}

u64 windowOf(Space s) { return s == Space::shared ? SHARED_WINDOW : s == Space::local ? LOCAL_WINDOW : 0; }

void buildCvta(Builder &b) {
  bool to = b.mod("to");
  Space space = takeSpace(b);
  Ty t = b.type();
  b.expectOperands(2, 2);
  if (t != Ty::u64) b.fail("only .u64 is supported");
  if (space == Space::generic || space == Space::param) b.fail("this space is not supported");
  b.ins.d = b.dst(0, t), b.ins.a = b.src(1, t);
  u64 window = windowOf(space);
  b.ins.imm = static_cast<i64>(to ? 0 - window : window);
  b.emit(addWindow<u64>);
}

void isspacep(Warp &w, const Ins &i, u32 m) {
  const u64 *a = w.src<u64>(i.a);
  u32 r = 0;
  lanes(m, [&](u32 l) {
    bool shared = a[l] - SHARED_WINDOW < WINDOW_BYTES, local = a[l] - LOCAL_WINDOW < WINDOW_BYTES;
    bool yes = i.space == Space::shared ? shared : i.space == Space::local ? local : false;
    if (!shared && !local && (i.space == Space::global || i.space == Space::constant)) {
      Allocation *al = deviceMemory().find(a[l]);
      yes = i.space == Space::constant ? al && al->readOnly : !(al && al->readOnly);
    }
    r |= static_cast<u32>(yes) << l;
  });
  w.setPred(i.d, m, r);
}

void buildIsspacep(Builder &b) {
  b.ins.space = takeSpace(b);
  b.expectOperands(2, 2);
  if (b.ins.space == Space::generic || b.ins.space == Space::param) b.fail("this space is not supported");
  b.ins.d = b.dst(0, Ty::pred), b.ins.a = b.src(1, Ty::u64);
  b.emit(isspacep);
}

void nothing(Warp &, const Ins &, u32) {}

// A prefetch of any address is allowed and has no result.
void buildPrefetch(Builder &b) {
  Space space = takeSpace(b);
  if (b.oneOf({"L1", "L2", "L2::evict_last", "L2::evict_normal"}) < 0) b.fail("needs .L1 or .L2");
  b.expectOperands(1, 1);
  b.address(0, space);
  b.emit(nothing);
}

const Op OPS[] = {
    {"ld", buildLd},
    {"ldu", buildLd},
    {"st", buildSt},
    {"cvta", buildCvta},
    {"isspacep", buildIsspacep},
    {"prefetch", buildPrefetch},
    {"prefetchu", buildPrefetch},
};

}  // namespace

OpList memoryOps() { return {OPS, sizeof OPS / sizeof OPS[0]}; }

}  // namespace leetemu
