#include "shadow.h"

#include <algorithm>

#include "fault.h"

namespace leetemu {

void SharedShadow::reset(u32 bytes, u32 warps) {
  // Times go on from the CTA before, so that its entries are in the past of everything without being cleared.
  u32 words = (bytes + 3) / 4;
  std::vector<u32> *members[] = {&words_.guard,  &words_.writeTime, &words_.readTime,
                                 &words_.writer, &words_.reader,    &words_.readWarps};
  if (words > flags_.size()) {
    for (std::vector<u32> *member : members) member->resize(words);
    flags_.resize(words), bytes_.resize(words * 4);
  }
  for (u32 word : special_) flags_[word] = 0, words_.guard[word] = 0, words_.put(word, Cell());
  special_.clear();
  if (time_ > 0xf0000000u) {
    time_ = 0;
    for (std::vector<u32> *member : members) std::fill(member->begin(), member->end(), 0);
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
  bool copies = words_.writeTime[word] >= start_ && kindOf(words_.writer[word]) == WriteKind::copy;
  if (flags_[word] & SPLIT || copies) makeSpecial(word);
  else words_.guard[word] = words_.writeTime[word];
}

void SharedShadow::splitWord(u32 word) {
  for (u32 k = 0; k < 4; ++k) bytes_[word * 4 + k] = words_.get(word);
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
      Cell c = words_.get(word);
      if (fails(c, at)) return false;
      words_.put(word, c);
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
  u32 warp = thread / WARP, horizon = horizon_[warp];
  return each(thread, offset, bytes, [&](Cell &c) {
    if (c.writeTime >= horizon || kindOf(c.writer) == WriteKind::copy) return checkRead(c, thread);
    noteRead(c, who(thread), 1u << warp);
    return static_cast<const char *>(nullptr);
  });
}

bool SharedShadow::writeOne(u32 thread, u32 offset, u32 bytes, WriteKind kind) {
  u32 horizon = horizon_[thread / WARP];
  return each(thread, offset, bytes, [&](Cell &c) {
    if (c.writeTime >= horizon || c.readTime >= horizon || kindOf(c.writer) == WriteKind::copy)
      return checkWrite(c, thread, kind);
    noteWrite(c, who(thread), kind);
    return static_cast<const char *>(nullptr);
  });
}

// What noteRead does for one word that lane `first` and then lane `last` of a warp read.
inline void SharedShadow::noteWord(u32 word, Who first, Who last, u32 warpBit) {
  u32 &reader = words_.reader[word];
  if (words_.readTime[word] != time_) {
    words_.readTime[word] = time_, words_.readWarps[word] = warpBit;
    reader = last | (last != first ? MANY : 0);
    return;
  }
  words_.readWarps[word] |= warpBit;
  u32 differs = (reader ^ first) & IDENTITY, many = last != first ? MANY : 0;
  if (differs < WARP) many |= (reader & MANY) | (differs ? MANY : 0);
  reader = last | many;
}

// The same for words that follow each other, 1 << shift of them to a lane, each read by one lane.
void SharedShadow::noteWords(u32 word, u32 words, u32 shift, Who first, u32 warpBit) {
  u32 *readTime = &words_.readTime[word], *reader = &words_.reader[word], *readWarps = &words_.readWarps[word];
  const u32 time = time_;
#pragma GCC ivdep
  for (u32 k = 0; k < words; ++k) {
    u32 me = first + (k >> shift), differs = (reader[k] ^ me) & IDENTITY;
    u32 many = differs < WARP ? (reader[k] & MANY) | (differs ? MANY : 0) : 0;
    bool fresh = readTime[k] != time;
    reader[k] = fresh ? me : me | many;
    readWarps[k] = fresh ? warpBit : readWarps[k] | warpBit;
    readTime[k] = time;
  }
}

namespace {
bool allBelow(const u32 *p, u32 n, u32 limit) {
  u32 below = 1;
  for (u32 k = 0; k < n; ++k) below &= p[k] < limit;
  return below != 0;
}
}  // namespace

bool SharedShadow::quietRead(u32 warp, const Pattern &p, u32 offset) {
  if (p.bytes < 4) return false;
  u32 horizon = horizon_[warp], shift = static_cast<u32>(__builtin_ctz(p.bytes / 4));
  for (u32 r = 0; r < p.runCount; ++r) {
    u32 word = (offset + static_cast<u32>(p.runs[r].at)) / 4, words = p.runs[r].count << shift;
    if (words == 1 ? words_.guard[word] >= horizon : !allBelow(&words_.guard[word], words, horizon)) return false;
  }
  constexpr u32 FEW = 4;
  Who me = who(warp * WARP);
  for (u32 r = 0; r < p.runCount; ++r) {
    const Run &run = p.runs[r];
    u32 word = (offset + static_cast<u32>(run.at)) / 4, words = run.count << shift, bit = 1u << warp;
    if (words <= FEW) {
      for (u32 k = 0; k < words; ++k)
        noteWord(word + k, me + run.lane + (k >> shift), me + run.last + (k >> shift), bit);
      continue;
    }
    noteWords(word, words, shift, me + run.lane, bit);
    if (run.last != run.lane) noteWords(word, words, shift, me + run.last, bit);
  }
  return true;
}

bool SharedShadow::quietWrite(u32 warp, const Pattern &p, u32 offset, WriteKind kind) {
  if (p.bytes < 4 || !p.unique) return false;
  u32 horizon = horizon_[warp], shift = static_cast<u32>(__builtin_ctz(p.bytes / 4));
  for (u32 r = 0; r < p.runCount; ++r) {
    u32 word = (offset + static_cast<u32>(p.runs[r].at)) / 4, words = p.runs[r].count << shift;
    if (!allBelow(&words_.guard[word], words, horizon) || !allBelow(&words_.readTime[word], words, horizon))
      return false;
  }
  for (u32 r = 0; r < p.runCount; ++r) {
    u32 word = (offset + static_cast<u32>(p.runs[r].at)) / 4, words = p.runs[r].count << shift;
    u32 *writer = &words_.writer[word], *writeTime = &words_.writeTime[word], *guard = &words_.guard[word];
    u32 me = (who(warp * WARP) + p.runs[r].lane) | static_cast<u32>(kind) << KIND_SHIFT;
    for (u32 k = 0; k < words; ++k) writeTime[k] = guard[k] = time_, writer[k] = me + (k >> shift);
    for (u32 k = 0; k < words && kind == WriteKind::copy; ++k) makeSpecial(word + k);
  }
  return true;
}

int SharedShadow::read(u32 warp, u32 mask, const u32 *offsets, u32 bytes) {
  for (; mask; mask &= mask - 1) {
    u32 lane = static_cast<u32>(__builtin_ctz(mask));
    if (!readOne(warp * WARP + lane, offsets[lane], bytes)) return static_cast<int>(lane);
  }
  return -1;
}

int SharedShadow::write(u32 warp, u32 mask, const u32 *offsets, u32 bytes, WriteKind kind) {
  for (; mask; mask &= mask - 1) {
    u32 lane = static_cast<u32>(__builtin_ctz(mask));
    if (!writeOne(warp * WARP + lane, offsets[lane], bytes, kind)) return static_cast<int>(lane);
  }
  return -1;
}

void SharedShadow::land(u32 thread, u32 offset, u32 bytes) {
  // A copy covers whole words.
  for (u32 word = offset / 4; word < (offset + bytes) / 4; ++word) {
    if (flags_[word] & SPLIT) {
      for (u32 k = 0; k < 4; ++k) noteWrite(bytes_[4 * word + k], who(thread), WriteKind::plain);
    } else {
      words_.guard[word] = words_.writeTime[word] = time_;
      words_.writer[word] = who(thread);
    }
  }
}

}  // namespace leetemu
