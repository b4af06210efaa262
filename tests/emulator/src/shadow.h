// Data-race detection in shared memory: for each 4-byte word, who wrote it last and who has read it since.
//
// Time is counted per CTA and advances at every CTA barrier. Warp w knows everything that warp p did before
// known[w][p]; an access is a race when the other warp's access is not known yet. Lanes of one warp are ordered by
// bar.warp.sync (or a CTA barrier) only. Words that are accessed in parts are tracked byte by byte.
#pragma once
#include <string>
#include <vector>

#include "pattern.h"

namespace leetemu {

enum class WriteKind : u8 { plain, atomic, copy };

class SharedShadow {
 public:
  void reset(u32 bytes, u32 warps);

  // The accesses of one warp: `bytes` per lane at offsets from the start of shared memory. The first lane whose access
  // is a race, or -1; problem() then tells which. Atomics do not race with each other; after a copy (cp.async) nobody
  // may touch the bytes until `land`.
  //
  // quietRead and quietWrite are the quick forms for a pattern whose first lane is at `offset`: they note the access if
  // it is seen at once that it is no race, and otherwise change nothing and return false.
  bool quietRead(u32 warp, const Pattern &p, u32 offset);
  bool quietWrite(u32 warp, const Pattern &p, u32 offset, WriteKind kind);
  int read(u32 warp, u32 mask, const u32 *offsets, u32 bytes);
  int write(u32 warp, u32 mask, const u32 *offsets, u32 bytes, WriteKind kind);
  void land(u32 thread, u32 offset, u32 bytes);
  const std::string &problem() const { return problem_; }

  void warpSync(u32 warp) { ++warpTime_[warp]; }
  // The warps in `releases` publish what they did, those in `acquires` learn it.
  void barrier(u32 releases, u32 acquires);

  // One access of one thread; the slow and complete form of read and write.
  bool readOne(u32 thread, u32 offset, u32 bytes);
  bool writeOne(u32 thread, u32 offset, u32 bytes, WriteKind kind);

 private:
  // A thread at a moment of its warp: thread in bits 0-9, time of the warp (low bits) in bits 10-28.
  using Who = u32;
  static constexpr u32 MANY = 1u << 31;  // of a reader: several lanes of its warp have read
  static constexpr u32 KIND_SHIFT = 29;  // of a writer: its WriteKind in bits 29-30
  static constexpr u32 IDENTITY = (1u << 29) - 1;
  static constexpr u32 SPECIAL = 0xffffffffu;

  struct Cell {
    u32 writeTime = 0, readTime = 0;  // 0 = never
    Who writer = 0, reader = 0;       // the last ones
    u32 readWarps = 0;                // all that read at readTime
  };
  // The cells of all words, member by member, so that neighbours are looked at together.
  struct Words {
    // writeTime, or SPECIAL when the quick test must not be used: tracked by bytes, or a copy in flight
    std::vector<u32> guard;
    std::vector<u32> writeTime, readTime, writer, reader, readWarps;
    Cell get(u32 n) const { return {writeTime[n], readTime[n], writer[n], reader[n], readWarps[n]}; }
    void put(u32 n, const Cell &c) {
      writeTime[n] = c.writeTime, readTime[n] = c.readTime, writer[n] = c.writer, reader[n] = c.reader;
      readWarps[n] = c.readWarps;
    }
  };

  Who who(u32 thread) const { return thread | (warpTime_[thread / WARP] << 10 & IDENTITY); }
  static u32 threadOf(Who w) { return w & 1023; }
  static WriteKind kindOf(Who w) { return static_cast<WriteKind>(w >> KIND_SHIFT & 3); }
  bool ordered(u32 time, Who earlier, u32 thread) const;
  const char *checkRead(Cell &c, u32 thread);
  const char *checkWrite(Cell &c, u32 thread, WriteKind kind);
  void noteRead(Cell &c, Who me, u32 warpBit) const {
    if (c.readTime != time_) {
      c.readTime = time_, c.readWarps = warpBit, c.reader = me;
      return;
    }
    u32 differs = (c.reader ^ me) & IDENTITY;
    bool sameMoment = differs < WARP;
    c.readWarps |= warpBit;
    c.reader = me | (sameMoment ? (c.reader & MANY) | (differs ? MANY : 0) : 0);
  }
  void noteWrite(Cell &c, Who me, WriteKind kind) const {
    c.writeTime = time_, c.writer = me | static_cast<u32>(kind) << KIND_SHIFT;
  }
  template <class F>
  bool each(u32 thread, u32 offset, u32 bytes, F f);
  void setGuard(u32 word);
  void noteWord(u32 word, Who first, Who last, u32 warpBit);
  void noteWords(u32 word, u32 words, u32 shift, Who first, u32 warpBit);
  void makeSpecial(u32 word) {
    words_.guard[word] = SPECIAL;
    if (!(flags_[word] & LISTED)) flags_[word] |= LISTED, special_.push_back(word);
  }
  void splitWord(u32 word);

  u32 warps_ = 0, time_ = 0, start_ = 0;
  std::vector<u32> known_;     // [warps][warps]
  std::vector<u32> horizon_;   // [warps]: the warp knows everything that anybody did before
  std::vector<u32> warpTime_;  // [warps]
  Words words_;
  std::vector<Cell> bytes_;  // 4 per word
  enum : u8 { SPLIT = 1, LISTED = 2 };
  std::vector<u8> flags_;     // per word
  std::vector<u32> special_;  // words whose guard was SPECIAL at some time: those with LISTED
  u32 other_ = 0;
  std::string problem_;
};

}  // namespace leetemu
