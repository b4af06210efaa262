// How the lanes of a memory access lie to each other. A loop repeats one pattern at moving addresses, so each
// instruction keeps its last one, and with it what does not change with the address: bank conflicts, sectors, the runs
// that the access consists of.
#pragma once
#include "base.h"

namespace leetemu {

struct Addresses {
  alignas(64) u64 lane[WARP];
};

// Elements that follow each other in memory, read or written by lanes that follow each other.
struct Run {
  i64 at;     // bytes from the address of Pattern::first
  u32 count;  // elements
  u32 lane;   // the first that touches the first element; element k: lane + k
  u32 last;   // the last lane that touches it; lane when there is only one
};

struct Pattern {
  alignas(64) u64 delta[WARP];  // address less that of lane `first`, for the lanes of the mask
  u32 mask = 0, bytes = 0;      // the access: lanes, bytes of each
  u32 place = 0;                // where in its sector (shared memory: in its word) lane `first` begins
  u32 first = 0;                // lowest lane
  i64 low = 0, high = 0;        // least and largest delta
  bool regular = false;         // every address is as aligned as the first, and none is far from it
  bool unique = false;          // no element is touched twice
  u32 passes = 0, ideal = 0;    // over the banks, if it is shared memory
  u32 sectors = 0;
  u32 runCount = 0;
  Run runs[WARP];

  static u64 unit(bool isShared) { return isShared ? 3 : 31; }
  bool fits(u32 m, const Addresses &a, u32 size, bool isShared) const {
    if (m != mask || size != bytes || (a.lane[first] & unit(isShared)) != place) return false;
    u64 base = a.lane[first], differs = 0;
    if (m == ALL_LANES) {
      for (u32 l = 0; l < WARP; ++l) differs |= (a.lane[l] - base) ^ delta[l];
    } else {
      for (u32 rest = m; rest; rest &= rest - 1) {
        u32 l = static_cast<u32>(__builtin_ctz(rest));
        differs |= (a.lane[l] - base) ^ delta[l];
      }
    }
    return differs == 0;
  }
  void set(u32 m, const Addresses &a, u32 size, bool isShared);
};

// 32-byte sectors that the lanes touch together.
u32 sectorsTouched(u32 mask, const Addresses &a);
// Passes over the 32 banks of 4 bytes, and the least number possible for that many lanes and bytes.
void bankPasses(u32 mask, const Addresses &a, u32 bytes, u32 *passes, u32 *ideal);

}  // namespace leetemu
