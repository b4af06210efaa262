// The running state: a launch has CTAs, a CTA has warps, a warp has groups of lanes that are at the same instruction.
#pragma once
#include <memory>
#include <vector>

#include "program.h"
#include "shadow.h"

namespace leetemu {

struct Cta;

struct Launch {
  Kernel *kernel = nullptr;
  int device = 0;
  u32 grid[3] = {1, 1, 1}, block[3] = {1, 1, 1};
  u32 sharedBytes = 0;  // static and dynamic
  u32 dynamicBytes = 0;
  u64 id = 0;
  std::vector<u8> params;
  u64 executed = 0;  // warp instructions
  u32 warpsPerCta() const { return (block[0] * block[1] * block[2] + WARP - 1) / WARP; }
};

// Lanes of a warp that share a program counter.
struct Group {
  u32 pc = 0, mask = 0;
  bool blocked = false;  // waits for other lanes of its warp
};

// A cp.async of one lane that has not landed yet.
struct PendingCopy {
  u32 lane, group;
  u32 to;          // shared address
  const u8 *from;  // null when nothing is read
  u8 size, sourceSize;
  bool landed;
};

enum class WarpState : u8 { ready, atBarrier, done };

struct Warp {
  u8 *base[2] = {nullptr, nullptr};  // registers, constants
  const u32 *lists = nullptr;
  InsCount *counts = nullptr;
  Pattern *patterns = nullptr;
  const Ins *code = nullptr;
  Cta *cta = nullptr;
  u8 *local = nullptr;  // localBytes per lane
  u32 id = 0;
  u32 live = 0;  // lanes that have not exited
  u32 current = 0;
  WarpState state = WarpState::ready;
  std::vector<Group> groups;
  std::vector<u64> registers;
  std::vector<u64> localStore;
  std::vector<PendingCopy> pending;
  u32 committed[WARP] = {};

  template <class T>
  T *dst(Ref r) {
    return reinterpret_cast<T *>(base[0] + r);
  }
  template <class T>
  const T *src(Ref r) const {
    return reinterpret_cast<const T *>(base[r >> 31] + (r & ~CONSTANT));
  }
  u32 pred(Ref r) const { return *src<u32>(r); }
  void setPred(Ref r, u32 mask, u32 value) {
    u32 *p = dst<u32>(r);
    *p = (*p & ~mask) | (value & mask);
  }
  InsCount &count(const Ins &i) { return counts[&i - code]; }
  u32 thread(u32 lane) const { return id * WARP + lane; }
  // "CTA (x,y,z) thread (x,y,z)", for messages.
  std::string name(u32 lane) const;
};

struct Barrier {
  u32 expected = 0;  // threads, 0 = every thread that has not exited
  u32 arrived = 0;   // threads
  u32 arrivedWarps = 0;
  u32 waitingWarps = 0;
  u32 popc = 0;
  bool all = true, any = false;
};

struct Cta {
  Launch *launch = nullptr;
  u32 index[3] = {0, 0, 0};
  std::vector<u8> shared;         // the first byte has offset SHARED_BASE
  std::vector<u8> sharedWritten;  // bit per byte
  SharedShadow shadow;
  std::vector<std::unique_ptr<Warp>> warps;
  Barrier barriers[16];
  u32 liveWarps = 0;
  bool checkInit = true, checkRace = true, lateCopies = true;  // the configuration at the start

  void start(Launch &l, u64 linearIndex);
};

// Runs f(lane) for the lanes of the mask. The full-warp form is the one that the compiler vectorises.
template <class F>
inline __attribute__((always_inline)) void lanes(u32 mask, F f) {
  if (mask == ALL_LANES) {
#pragma GCC ivdep
    for (u32 l = 0; l < WARP; ++l) f(l);
  } else {
    for (; mask; mask &= mask - 1) f(static_cast<u32>(__builtin_ctz(mask)));
  }
}

}  // namespace leetemu
