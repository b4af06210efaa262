// cp.async: copies from global to shared memory that land at the wait (late) or at once (early), as the schedule says.
#include <algorithm>

#include "access.h"
#include "cuda_abi.h"
#include "fault.h"
#include "ops.h"

namespace leetemu {
namespace {

void landData(Warp &w, PendingCopy &c) {
  Cta &cta = *w.cta;
  u32 offset = c.to - SHARED_BASE;
  u8 *to = &cta.shared[offset];
  if (c.sourceSize) memcpy(to, c.from, c.sourceSize);
  memset(to + c.sourceSize, 0, c.size - c.sourceSize);
  u8 *bits = &cta.sharedWritten[offset >> 3];
  if (c.size == 4) bits[0] |= static_cast<u8>(0xf << (offset & 7));
  else bits[0] = 0xff, bits[1] |= c.size == 16 ? 0xff : 0;
  c.landed = true;
}

// What a copy of a lane becomes once it has been waited for.
void complete(Warp &w, PendingCopy &c) {
  if (!c.landed) landData(w, c);
  if (w.cta->checkRace) w.cta->shadow.land(w.thread(c.lane), c.to - SHARED_BASE, c.size);
}

// a = shared address (imm, addr32), list: global base, its offset, 1 when its register has 32 bits.
// b = source size or NO_REF, c = predicate that ignores the source or NO_REF (aux = negated), size = bytes.
void copyAsync(Warp &w, const Ins &i, u32 m) {
  Addresses to, from;
  Places target, source;
  gather(w, i, m, to);
  gather(w, w.lists[i.list], static_cast<i32>(w.lists[i.list + 1]), w.lists[i.list + 2] != 0, m, from);
  u32 bytes[WARP], ignored = i.c == NO_REF ? 0 : w.pred(i.c) ^ (i.aux ? ALL_LANES : 0);
  const u32 *sizes = i.b == NO_REF ? nullptr : w.src<u32>(i.b);
  lanes(m, [&](u32 l) {
    bytes[l] = ignored >> l & 1 ? 0 : sizes ? sizes[l] : i.size;
    if (bytes[l] > i.size)
      throw Fault(CUDA_ERROR_LAUNCH_FAILED, format("%s: cp.async with a source of %u bytes, more than its %u",
                                                   w.name(l).c_str(), bytes[l], i.size));
  });
  resolve(w, i, Space::shared, m, to, i.size, Use::copyTarget, target);
  resolveGlobalRead(w, i, m, from, bytes, i.size, source);
  lanes(m, [&](u32 l) {
    PendingCopy c{l,    w.committed[l], static_cast<u32>(to.lane[l]), source.lane[l], i.size, static_cast<u8>(bytes[l]),
                  false};
    if (!w.cta->lateCopies) landData(w, c);
    w.pending.push_back(c);
  });
}

void commitGroup(Warp &w, const Ins &, u32 m) {
  lanes(m, [&](u32 l) { ++w.committed[l]; });
}

// All groups of a lane but the newest imm; imm < 0: everything, committed or not.
void waitGroup(Warp &w, const Ins &i, u32 m) {
  auto waits = [&](const PendingCopy &c) {
    if (!(m >> c.lane & 1)) return false;
    return i.imm < 0 || static_cast<i64>(c.group) < static_cast<i64>(w.committed[c.lane]) - i.imm;
  };
  for (PendingCopy &c : w.pending)
    if (waits(c)) complete(w, c);
  w.pending.erase(std::remove_if(w.pending.begin(), w.pending.end(), waits), w.pending.end());
}

void buildCopy(Builder &b) {
  int cache = b.oneOf({"ca", "cg"});
  if (cache < 0) b.fail("needs .ca or .cg");
  if (b.oneOf({"shared", "shared::cta"}) < 0) b.fail("needs .shared");
  b.need("global");
  b.ignore({"L2::64B", "L2::128B", "L2::256B"});
  bool hint = b.mod("L2::cache_hint");
  size_t n = b.operands() - (hint ? 1 : 0);
  b.finish();
  u64 size = 0;
  if (n < 3 || n > 4 || !b.immediate(b.operand(2), &size)) b.fail("needs two addresses and a size");
  if (!(size == 16 || (cache == 0 && (size == 4 || size == 8)))) b.fail("the size must be 16, or 4 or 8 with .ca");
  b.address(1, Space::global);
  if (b.ins.imm != static_cast<i32>(b.ins.imm)) b.fail("the offset is too large");
  std::vector<Ref> source = {b.ins.a, static_cast<u32>(b.ins.imm), b.ins.addr32};
  b.ins = Ins();
  b.address(0, Space::shared);
  b.setList(source);
  b.ins.size = static_cast<u8>(size);
  if (n == 4) {
    const Operand &o = b.operand(3);
    bool isPredicate = o.negated || (o.kind == Operand::reg && b.frame.ast->registers[o.index].type == Ty::pred);
    bool negated = false;
    if (isPredicate) b.ins.c = b.predicate(o, &negated);
    else b.ins.b = b.srcOf(o, Ty::u32);
    b.ins.aux = negated;
  }
  b.countAs("cp.async");
  b.emit(copyAsync);
}

void buildCp(Builder &b) {
  b.need("async");
  if (b.mod("commit_group")) {
    b.expectOperands(0, 0);
    b.countAs("cp.async.commit_group");
    b.emit(commitGroup);
  } else if (b.mod("wait_group")) {
    b.expectOperands(1, 1);
    u64 n = 0;
    if (!b.immediate(b.operand(0), &n)) b.fail("the number of groups must be an immediate");
    b.ins.imm = static_cast<i64>(n);
    b.countAs("cp.async.wait_group");
    b.emit(waitGroup);
  } else if (b.mod("wait_all")) {
    b.expectOperands(0, 0);
    b.ins.imm = -1;
    b.countAs("cp.async.wait_all");
    b.emit(waitGroup);
  } else {
    buildCopy(b);
  }
}

const Op OPS[] = {{"cp", buildCp}};

}  // namespace

OpList asyncOps() { return {OPS, sizeof OPS / sizeof OPS[0]}; }

}  // namespace leetemu
