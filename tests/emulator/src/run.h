// Runs warps, CTAs and launches.
#pragma once
#include "warp.h"

namespace leetemu {

// Runs one warp until it waits at a CTA barrier, ends, or has done `budget` instructions. Returns how many it did.
// Throws Fault.
u64 runWarp(Warp &w, u64 budget);

// A warp has arrived at a barrier: lets the others go when it was the last one that was missing.
void arriveAtBarrier(Warp &w, const Ins &i, u32 mask);
// After a warp has ended: barriers without a count may be complete now.
void recheckBarriers(Cta &cta);

// Runs a whole grid in the order that the configuration asks for. Throws Fault.
void runLaunch(Launch &l);

}  // namespace leetemu
