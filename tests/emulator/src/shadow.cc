#include "shadow.h"

#include <algorithm>

#include "fault.h"

namespace leetemu {

void SharedShadow::reset(u32 bytes, u32 warps) {
  // Times go on from the CTA before, so that its entries are in the past of everything without being cleared.
  u32 words = (bytes + 3) / 4;
  if (words > words_.size()) words_.resize(words), flags_.resize(words), bytes_.resize(words * 4);
  for (u32 word : special_) flags_[word] = 0, words_[word] = Cell();
  special_.clear();
  if (time_ > 0xf0000000u) {
    time_ = 0;
    std::fill(words_.begin(), words_.end(), Cell());
    std::fill(bytes_.begin(), bytes_.end(), Cell());
  }
  start_ = ++time_;
  warps_ = warps;
  known_.assign(warps * warps, start_);
  horizon_.assign(warps, start_);
  warpTime_.assign(warps, 0);
}

void SharedShadow::barrier(u32 releases, u32 acquires) {
  ++time_;
  u32 merged[32];
  for (u32 p = 0; p < warps_; ++p) {
    merged[p] = releases >> p & 1 ? time_ : 0;
    for (u32 r = 0; r < warps_; ++r)
      if (releases >> r & 1) merged[p] = std::max(merged[p], known_[r * warps_ + p]);
  }
  for (u32 w = 0; w < warps_; ++w) {
    if (!(acquires >> w & 1)) continue;
    u32 *known = &known_[w * warps_];
    for (u32 p = 0; p < warps_; ++p) known[p] = std::max(known[p], merged[p]);
    horizon_[w] = *std::min_element(known, known + warps_);
  }
}

bool SharedShadow::ordered(u32 time, Who earlier, u32 thread) const {
  u32 before = threadOf(earlier), other = before / WARP, warp = thread / WARP;
  if (time < start_ || before == thread || time < known_[warp * warps_ + other]) return true;
  return other == warp && ((earlier ^ who(thread)) & IDENTITY) >= WARP;
}

const char *SharedShadow::checkRead(Cell &c, u32 thread) {
  if (c.writeTime >= start_) {
    other_ = threadOf(c.writer);
    if (kindOf(c.writer) == WriteKind::copy) return "reads the target of a cp.async that was not waited for, issued by";
    if (!ordered(c.writeTime, c.writer, thread)) return "reads what was written without a barrier between by";
  }
  noteRead(c, who(thread), 1u << thread / WARP);
  return nullptr;
}

const char *SharedShadow::checkWrite(Cell &c, u32 thread, WriteKind kind) {
  u32 warp = thread / WARP;
  if (c.writeTime >= start_) {
    other_ = threadOf(c.writer);
    if (kindOf(c.writer) == WriteKind::copy)
      return "writes the target of a cp.async that was not waited for, issued by";
    bool bothAtomic = kind == WriteKind::atomic && kindOf(c.writer) == WriteKind::atomic;
    if (!bothAtomic && !ordered(c.writeTime, c.writer, thread))
      return "writes what was written without a barrier between by";
  }
  if (c.readTime >= start_) {
    other_ = threadOf(c.reader);
    if (!ordered(c.readTime, c.reader, thread)) return "writes what was read without a barrier between by";
    bool sameMoment = ((c.reader ^ who(thread)) & IDENTITY) < WARP && c.readTime >= known_[warp * warps_ + warp];
    if (c.reader & MANY && sameMoment) return "writes what another lane of its warp read without a barrier, as did";
    for (u32 others = c.readWarps & ~(1u << warp); others; others &= others - 1) {
      u32 w = static_cast<u32>(__builtin_ctz(others));
      other_ = w * WARP;
      if (c.readTime >= known_[warp * warps_ + w])
        return "writes what was read without a barrier between by the warp of";
    }
  }
  noteWrite(c, who(thread), kind);
  return nullptr;
}

void SharedShadow::setGuard(u32 word) {
  Cell &c = words_[word];
  if (flags_[word] & SPLIT || (c.writeTime >= start_ && kindOf(c.writer) == WriteKind::copy)) makeSpecial(word);
  else c.guard = c.writeTime;
}

void SharedShadow::splitWord(u32 word) {
  for (u32 k = 0; k < 4; ++k) bytes_[word * 4 + k] = words_[word];
  flags_[word] |= SPLIT;
  setGuard(word);
}

template <class F>
bool SharedShadow::each(u32 thread, u32 offset, u32 bytes, F f) {
  auto fails = [&](Cell &c, u32 at) {
    const char *what = f(c);
    if (what) problem_ = format("thread %u %s thread %u, shared byte %u", thread, what, other_, at + SHARED_BASE);
    return what != nullptr;
  };
  for (u32 at = offset, end = offset + bytes; at < end;) {
    u32 word = at / 4, stop = std::min(end, (word + 1) * 4);
    if (stop - at == 4 && !(flags_[word] & SPLIT)) {
      if (fails(words_[word], at)) return false;
      setGuard(word);
    } else {
      if (!(flags_[word] & SPLIT)) splitWord(word);
      for (u32 b = at; b < stop; ++b)
        if (fails(bytes_[b], b)) return false;
    }
    at = stop;
  }
  return true;
}

bool SharedShadow::readOne(u32 thread, u32 offset, u32 bytes) {
  return each(thread, offset, bytes, [&](Cell &c) { return checkRead(c, thread); });
}

bool SharedShadow::writeOne(u32 thread, u32 offset, u32 bytes, WriteKind kind) {
  return each(thread, offset, bytes, [&](Cell &c) { return checkWrite(c, thread, kind); });
}

int SharedShadow::read(u32 warp, u32 mask, const u32 *offsets, u32 bytes) {
  u32 horizon = horizon_[warp], bit = 1u << warp, first = who(warp * WARP);
  for (; mask; mask &= mask - 1) {
    u32 lane = static_cast<u32>(__builtin_ctz(mask)), offset = offsets[lane], word = offset / 4, end = word + bytes / 4;
    if (bytes >= 4)
      for (; word < end && words_[word].guard < horizon; ++word) noteRead(words_[word], first + lane, bit);
    if ((word < end || bytes < 4) && !readOne(warp * WARP + lane, offset, bytes)) return static_cast<int>(lane);
  }
  return -1;
}

int SharedShadow::write(u32 warp, u32 mask, const u32 *offsets, u32 bytes, WriteKind kind) {
  u32 horizon = horizon_[warp], first = who(warp * WARP);
  for (; mask; mask &= mask - 1) {
    u32 lane = static_cast<u32>(__builtin_ctz(mask)), offset = offsets[lane], word = offset / 4, end = word + bytes / 4;
    if (bytes >= 4)
      for (; word < end && words_[word].guard < horizon && words_[word].readTime < horizon; ++word) {
        noteWrite(words_[word], first + lane, kind);
        words_[word].guard = time_;
        if (kind == WriteKind::copy) makeSpecial(word);
      }
    u32 rest = bytes >= 4 ? (end - word) * 4 : bytes;
    if (rest && !writeOne(warp * WARP + lane, bytes >= 4 ? word * 4 : offset, rest, kind))
      return static_cast<int>(lane);
  }
  return -1;
}

void SharedShadow::land(u32 thread, u32 offset, u32 bytes) {
  // A copy covers whole words.
  for (u32 word = offset / 4; word < (offset + bytes) / 4; ++word) {
    bool parts = flags_[word] & SPLIT;
    for (u32 k = 0; k < (parts ? 4 : 1); ++k)
      noteWrite(parts ? bytes_[4 * word + k] : words_[word], who(thread), WriteKind::plain);
    if (!parts) words_[word].guard = time_;
  }
}

}  // namespace leetemu
