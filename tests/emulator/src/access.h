// Memory accesses of a warp: addresses of the lanes, checks, counters, and the bytes behind them.
#pragma once
#include "memory.h"
#include "warp.h"

namespace leetemu {

// The address of each lane: register plus offset.
void gather(const Warp &w, Ref base, i64 offset, bool addr32, u32 mask, Addresses &out);
inline void gather(const Warp &w, const Ins &i, u32 mask, Addresses &out) {
  gather(w, i.a, i.imm, i.addr32, mask, out);
}

// Pointers to the bytes of each lane, after every check of the access: bounds, alignment, never written, races.
struct Places {
  u8 *lane[WARP];
};
// copyTarget: where a cp.async will write; the bytes count as written when it has landed.
enum class Use : u8 { read, write, atomic, copyTarget };

// `bytes` per lane at once (element size times vector length); throws Fault. Space::generic is resolved per lane.
// `sameData`, for a write, tells whether two lanes that write one place write the same bytes; null: they never may.
using SameData = bool (*)(Warp &, const Ins &, u32 laneA, u32 laneB);
void resolve(Warp &w, const Ins &i, Space space, u32 mask, const Addresses &a, u32 bytes, Use use, Places &out,
             SameData sameData = nullptr);

// A global read of `bytes` per lane, any number up to 16, at addresses aligned to `alignment`.
void resolveGlobalRead(Warp &w, const Ins &i, u32 mask, const Addresses &a, const u32 *bytes, u32 alignment,
                       Places &out);

}  // namespace leetemu
