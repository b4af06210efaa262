#include "access.h"

#include <algorithm>

#include "cuda_abi.h"
#include "fault.h"

namespace leetemu {
namespace {

const char *verb(Use use) {
  constexpr const char *VERBS[] = {"read", "write", "atomic", "cp.async write"};
  return VERBS[static_cast<u32>(use)];
}

[[noreturn]] void refuse(Warp &w, u32 lane, int code, Space space, Use use, u32 bytes, const std::string &what) {
  throw Fault(code,
              format("%s: %s %s of %u bytes: %s", w.name(lane).c_str(), nameOf(space), verb(use), bytes, what.c_str()));
}

std::string hex(u64 x) { return format("0x%llx", static_cast<unsigned long long>(x)); }

void checkAlignment(Warp &w, u32 mask, const Addresses &a, u32 bytes, Space space, Use use) {
  u64 bits = 0;
  lanes(mask, [&](u32 l) { bits |= a.lane[l]; });
  if ((bits & (bytes - 1)) == 0) return;
  lanes(mask, [&](u32 l) {
    if (a.lane[l] & (bytes - 1))
      refuse(w, l, CUDA_ERROR_MISALIGNED_ADDRESS, space, use, bytes, "misaligned address " + hex(a.lane[l]));
  });
}

// The allocation that holds the bytes of one lane, checked; `al` is a guess.
Allocation *owner(Warp &w, u32 l, u64 address, u32 bytes, Use use, Allocation *al) {
  if (al && al->holds(address, bytes)) return al;
  al = deviceMemory().find(address);
  if (!al || !al->holds(address, bytes))
    refuse(w, l, CUDA_ERROR_ILLEGAL_ADDRESS, Space::global, use, bytes, deviceMemory().describe(address));
  if (al->device != w.cta->launch->device)
    refuse(w, l, CUDA_ERROR_ILLEGAL_ADDRESS, Space::global, use, bytes, hex(address) + " is memory of another device");
  if (al->readOnly && use != Use::read)
    refuse(w, l, CUDA_ERROR_ILLEGAL_ADDRESS, Space::global, use, bytes, "constant variable " + al->name);
  return al;
}

// The pattern of an access, that of the instruction's last one if it is the same.
const Pattern &patternOf(Warp &w, const Ins &i, u32 mask, const Addresses &a, u32 bytes, bool isShared) {
  Pattern &p = w.patterns[i.pattern];
  if (!p.fits(mask, a, bytes, isShared)) p.set(mask, a, bytes, isShared);
  return p;
}

// Whether every address is aligned and within `size` bytes from `base`.
bool inside(const Pattern &p, u64 first, u64 base, u64 size, u32 bytes) {
  i64 offset = static_cast<i64>(first - base);
  return p.regular && (first & (bytes - 1)) == 0 && offset + p.low >= 0 &&
         offset + p.high + bytes <= static_cast<i64>(size) && first >= base;
}

bool allSet(const u8 *bits, u64 from, u64 count) {
  if ((from & 7) + count <= 8) {
    u32 want = ((1u << count) - 1) << (from & 7);
    return (bits[from >> 3] & want) == want;
  }
  u64 to = from + count;
  for (; from < to && (from & 7 || to - from < 8); ++from)
    if (!(bits[from >> 3] >> (from & 7) & 1)) return false;
  u64 whole = (to - from) >> 3;
  for (const u8 *p = bits + (from >> 3), *end = p + whole; p < end; ++p)
    if (*p != 0xff) return false;
  return from + 8 * whole == to || allSet(bits, from + 8 * whole, to - from - 8 * whole);
}

void setAll(u8 *bits, u64 from, u64 count) {
  if ((from & 7) + count <= 8) {
    bits[from >> 3] |= static_cast<u8>(((1u << count) - 1) << (from & 7));
    return;
  }
  u64 to = from + count;
  for (; from < to && (from & 7 || to - from < 8); ++from) bits[from >> 3] |= static_cast<u8>(1u << (from & 7));
  u64 whole = (to - from) >> 3;
  memset(bits + (from >> 3), 0xff, whole);
  if (from + 8 * whole < to) setAll(bits, from + 8 * whole, to - from - 8 * whole);
}

// One bit per byte: every byte of the access was written (for a read), or is from now on (for a write). `first` is the
// number of the bit of the pattern's first lane.
bool noteWritten(const Pattern &p, u8 *bits, u64 first, bool reads, bool writes) {
  for (u32 k = 0; reads && k < p.runCount; ++k)
    if (!allSet(bits, first + static_cast<u64>(p.runs[k].at), p.runs[k].count * p.bytes)) return false;
  for (u32 k = 0; writes && k < p.runCount; ++k)
    setAll(bits, first + static_cast<u64>(p.runs[k].at), p.runs[k].count * p.bytes);
  return true;
}

void globalLane(Warp &w, u32 l, u64 address, u32 bytes, Use use, Allocation *&al, Places &out) {
  al = owner(w, l, address, bytes, use, al);
  out.lane[l] = al->at(address);
  if (al->allWritten()) return;
  u64 offset = address - al->base;
  if (use != Use::write && w.cta->checkInit && !al->elementWritten(offset, bytes))
    refuse(w, l, CUDA_ERROR_LAUNCH_FAILED, Space::global, use, bytes,
           "never written: " + deviceMemory().describe(address));
  if (use != Use::read) al->markElement(offset, bytes);
}

void resolveGlobal(Warp &w, const Ins &i, u32 mask, const Addresses &a, u32 bytes, Use use, Places &out) {
  const Pattern &p = patternOf(w, i, mask, a, bytes, false);
  if (!p.regular || (a.lane[p.first] & (bytes - 1))) checkAlignment(w, mask, a, bytes, Space::global, use);
  InsCount &c = w.count(i);
  c.sectors += p.sectors;
  c.bytes += static_cast<u64>(__builtin_popcount(mask)) * bytes;
  u64 first = a.lane[p.first];
  Allocation *al = owner(w, p.first, first, bytes, use, nullptr);
  if (inside(p, first, al->base, al->bytes, bytes)) {
    u8 *data = al->data.get() - al->base;
    lanes(mask, [&](u32 l) { out.lane[l] = data + a.lane[l]; });
    if (al->allWritten()) return;
    bool reads = use != Use::write && w.cta->checkInit, writes = use != Use::read;
    if (noteWritten(p, al->written.data(), first - al->base, reads, writes)) return;
  }
  for (u32 m = mask; m; m &= m - 1) {
    u32 l = static_cast<u32>(__builtin_ctz(m));
    globalLane(w, l, a.lane[l], bytes, use, al, out);
  }
}

bool excused(Warp &w, const Ins &i, u32 mask, const Addresses &a, u32 lane, SameData sameData) {
  if (!sameData) return false;
  for (u32 m = mask & ((1u << lane) - 1); m; m &= m - 1) {
    u32 other = static_cast<u32>(__builtin_ctz(m));
    if (a.lane[other] == a.lane[lane]) return sameData(w, i, other, lane);
  }
  return false;
}

constexpr WriteKind WRITE_KINDS[] = {WriteKind::plain, WriteKind::plain, WriteKind::atomic, WriteKind::copy};

void checkShared(Warp &w, u32 mask, const Addresses &a, u32 bytes, Use use) {
  checkAlignment(w, mask, a, bytes, Space::shared, use);
  u64 size = w.cta->launch->sharedBytes, bad = 0;
  auto outside = [&](u64 address) { return address - SHARED_BASE > size - bytes || size < bytes; };
  lanes(mask, [&](u32 l) { bad |= outside(a.lane[l]); });
  if (!bad) return;
  lanes(mask, [&](u32 l) {
    if (outside(a.lane[l]))
      refuse(w, l, CUDA_ERROR_ILLEGAL_ADDRESS, Space::shared, use, bytes,
             hex(a.lane[l]) + " is outside of the " + std::to_string(size) + " bytes from " + hex(SHARED_BASE));
  });
}

void checkSharedWritten(Warp &w, u32 mask, const Addresses &a, u32 bytes, Use use) {
  for (u32 m = mask; m; m &= m - 1) {
    u32 l = static_cast<u32>(__builtin_ctz(m)), offset = static_cast<u32>(a.lane[l]) - SHARED_BASE;
    u8 *bits = &w.cta->sharedWritten[offset >> 3];
    u32 want = bytes >= 8 ? 0xff : ((1u << bytes) - 1) << (offset & 7);
    bool ok = (bits[0] & want) == want && (bytes < 16 || bits[1] == 0xff);
    if (use != Use::write && !ok)
      refuse(w, l, CUDA_ERROR_LAUNCH_FAILED, Space::shared, use, bytes, "never written: " + hex(a.lane[l]));
    if (use != Use::read) bits[0] |= static_cast<u8>(want), bits[1] |= bytes == 16 ? 0xff : 0;
  }
}

void checkRaces(Warp &w, const Ins &i, u32 mask, const Addresses &a, u32 bytes, Use use, SameData sameData) {
  SharedShadow &shadow = w.cta->shadow;
  u32 offsets[WARP];
  lanes(mask, [&](u32 l) { offsets[l] = static_cast<u32>(a.lane[l]) - SHARED_BASE; });
  for (u32 all = mask; mask;) {
    int bad = use == Use::read ? shadow.read(w.id, mask, offsets, bytes)
                               : shadow.write(w.id, mask, offsets, bytes, WRITE_KINDS[static_cast<u32>(use)]);
    if (bad < 0) return;
    u32 l = static_cast<u32>(bad);
    if (!excused(w, i, all, a, l, sameData))
      refuse(w, l, CUDA_ERROR_LAUNCH_FAILED, Space::shared, use, bytes, "race: " + shadow.problem());
    mask &= l == WARP - 1 ? 0 : ~((2u << l) - 1);
  }
}

void resolveShared(Warp &w, const Ins &i, u32 mask, const Addresses &a, u32 bytes, Use use, Places &out,
                   SameData sameData) {
  const Pattern &p = patternOf(w, i, mask, a, bytes, true);
  u64 first = a.lane[p.first];
  if (!inside(p, first, SHARED_BASE, w.cta->launch->sharedBytes, bytes)) checkShared(w, mask, a, bytes, use);
  InsCount &c = w.count(i);
  c.wavefronts += p.passes, c.ideal += p.ideal;
  u8 *data = w.cta->shared.data() - SHARED_BASE;
  lanes(mask, [&](u32 l) { out.lane[l] = data + a.lane[l]; });
  if (w.cta->checkInit && use != Use::copyTarget &&
      !noteWritten(p, w.cta->sharedWritten.data(), first - SHARED_BASE, use != Use::write, use != Use::read))
    checkSharedWritten(w, mask, a, bytes, use);
  if (!w.cta->checkRace) return;
  u32 offset = static_cast<u32>(first) - SHARED_BASE;
  bool quiet = use == Use::read ? w.cta->shadow.quietRead(w.id, p, offset)
                                : w.cta->shadow.quietWrite(w.id, p, offset, WRITE_KINDS[static_cast<u32>(use)]);
  if (!quiet) checkRaces(w, i, mask, a, bytes, use, sameData);
}

void resolveLocal(Warp &w, u32 mask, const Addresses &a, u32 bytes, Use use, Places &out) {
  checkAlignment(w, mask, a, bytes, Space::local, use);
  u32 limit = w.cta->launch->kernel->localBytes;
  lanes(mask, [&](u32 l) {
    if (a.lane[l] < LOCAL_BASE || a.lane[l] + bytes > limit)
      refuse(w, l, CUDA_ERROR_ILLEGAL_ADDRESS, Space::local, use, bytes,
             hex(a.lane[l]) + " is outside of the stack frame");
    out.lane[l] = w.local + static_cast<u64>(l) * limit + a.lane[l];
  });
}

void resolveParam(Warp &w, u32 mask, const Addresses &a, u32 bytes, Use use, Places &out) {
  checkAlignment(w, mask, a, bytes, Space::param, use);
  auto &params = w.cta->launch->params;
  lanes(mask, [&](u32 l) {
    if (a.lane[l] + bytes > w.cta->launch->kernel->paramBytes || use != Use::read)
      refuse(w, l, CUDA_ERROR_ILLEGAL_ADDRESS, Space::param, use, bytes,
             hex(a.lane[l]) + " is outside of the parameters");
    out.lane[l] = &params[a.lane[l]];
  });
}

void resolveConstant(Warp &w, u32 mask, const Addresses &a, u32 bytes, Use use, Places &out) {
  checkAlignment(w, mask, a, bytes, Space::constant, use);
  Allocation *al = nullptr;
  lanes(mask, [&](u32 l) {
    globalLane(w, l, a.lane[l], bytes, use, al, out);
    if (!al->readOnly)
      refuse(w, l, CUDA_ERROR_ILLEGAL_ADDRESS, Space::constant, use, bytes,
             hex(a.lane[l]) + " is not in constant memory");
  });
}

bool inWindow(u64 address, u64 window) { return address - window < WINDOW_BYTES; }

}  // namespace

void gather(const Warp &w, Ref base, i64 offset, bool addr32, u32 mask, Addresses &out) {
  if (addr32) {
    const u32 *p = w.src<u32>(base);
    lanes(mask, [&](u32 l) { out.lane[l] = static_cast<u32>(p[l] + static_cast<u64>(offset)); });
  } else {
    const u64 *p = w.src<u64>(base);
    lanes(mask, [&](u32 l) { out.lane[l] = p[l] + static_cast<u64>(offset); });
  }
}

void resolveGlobalRead(Warp &w, const Ins &i, u32 mask, const Addresses &a, const u32 *bytes, u32 alignment,
                       Places &out) {
  checkAlignment(w, mask, a, alignment, Space::global, Use::read);
  u32 reading = 0;
  InsCount &c = w.count(i);
  lanes(mask, [&](u32 l) {
    out.lane[l] = nullptr;
    if (!bytes[l]) return;
    reading |= 1u << l;
    c.bytes += bytes[l];
    Allocation *al = owner(w, l, a.lane[l], bytes[l], Use::read, nullptr);
    out.lane[l] = al->at(a.lane[l]);
    u64 missing = w.cta->checkInit ? al->firstUnwritten(a.lane[l], bytes[l]) : ~0ull;
    if (missing != ~0ull)
      refuse(w, l, CUDA_ERROR_LAUNCH_FAILED, Space::global, Use::read, bytes[l],
             "never written: " + deviceMemory().describe(missing));
  });
  c.sectors += sectorsTouched(reading, a);
}

void resolve(Warp &w, const Ins &i, Space space, u32 mask, const Addresses &a, u32 bytes, Use use, Places &out,
             SameData sameData) {
  switch (space) {
    case Space::global:
      return resolveGlobal(w, i, mask, a, bytes, use, out);
    case Space::shared:
      return resolveShared(w, i, mask, a, bytes, use, out, sameData);
    case Space::local:
      return resolveLocal(w, mask, a, bytes, use, out);
    case Space::param:
      return resolveParam(w, mask, a, bytes, use, out);
    case Space::constant:
      return resolveConstant(w, mask, a, bytes, use, out);
    case Space::generic:
      break;
  }
  u32 shared = 0, local = 0;
  Addresses inner = a;
  lanes(mask, [&](u32 l) {
    if (inWindow(a.lane[l], SHARED_WINDOW)) shared |= 1u << l, inner.lane[l] -= SHARED_WINDOW;
    else if (inWindow(a.lane[l], LOCAL_WINDOW)) local |= 1u << l, inner.lane[l] -= LOCAL_WINDOW;
  });
  u32 global = mask & ~shared & ~local;
  if (global) resolveGlobal(w, i, global, a, bytes, use, out);
  if (shared) resolveShared(w, i, shared, inner, bytes, use, out, sameData);
  if (local) resolveLocal(w, local, inner, bytes, use, out);
}

}  // namespace leetemu
