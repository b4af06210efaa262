#include "pattern.h"

#include <algorithm>

namespace leetemu {
namespace {
constexpr i64 FAR = 1ll << 40;
}

void Pattern::set(u32 m, const Addresses &a, u32 size, bool isShared) {
  mask = m, bytes = size;
  first = static_cast<u32>(__builtin_ctz(m));
  place = static_cast<u32>(a.lane[first] & unit(isShared));
  low = high = 0;
  regular = true;
  unique = true;
  if (isShared) bankPasses(m, a, size, &passes, &ideal);
  else sectors = sectorsTouched(m, a);
  i64 at[WARP];  // of each different element, with the lanes that touch it
  u32 from[WARP], to[WARP], n = 0;
  for (u32 rest = m; rest; rest &= rest - 1) {
    u32 l = static_cast<u32>(__builtin_ctz(rest));
    delta[l] = a.lane[l] - a.lane[first];
    i64 d = static_cast<i64>(delta[l]);
    low = std::min(low, d), high = std::max(high, d);
    regular = regular && d % size == 0 && -FAR < d && d < FAR;
    u32 k = n;
    for (u32 j = 0; j < n; ++j)
      if (at[j] == d) k = j;
    to[k] = l;
    if (k == n) at[k] = d, from[k] = l, ++n;
    else unique = false;
  }
  runCount = 0;
  for (u32 k = 0; k < n; ++k) {
    bool follows = k > 0 && at[k] == at[k - 1] + size && from[k] == from[k - 1] + 1 && to[k] == to[k - 1] + 1;
    if (follows) ++runs[runCount - 1].count;
    else runs[runCount++] = {at[k], 1, from[k], to[k]};
  }
}

u32 sectorsTouched(u32 mask, const Addresses &a) {
  // An aligned element of at most 16 bytes lies in one sector.
  u64 seen[WARP];
  u32 n = 0;
  bool sorted = true;
  u64 last = ~0ull;
  for (u32 m = mask; m; m &= m - 1) {
    u64 s = a.lane[__builtin_ctz(m)] >> 5;
    if (n && s == last) continue;
    if (n && s < last) sorted = false;
    seen[n++] = last = s;
  }
  if (sorted) return n;
  std::sort(seen, seen + n);
  return static_cast<u32>(std::unique(seen, seen + n) - seen);
}

void bankPasses(u32 mask, const Addresses &a, u32 bytes, u32 *passes, u32 *ideal) {
  // An aligned element of 8 or 16 bytes covers 2 or 4 whole banks: then count in units of the element.
  u32 unit = std::max(4u, bytes), perPass = WARP * 4 / unit, shift = static_cast<u32>(__builtin_ctz(unit));
  *passes = *ideal = 0;
  for (u32 first = 0; first < WARP; first += perPass) {
    u32 part = mask & (perPass == WARP ? ALL_LANES : ((1u << perPass) - 1) << first);
    if (!part) continue;
    ++*ideal;
    // The first element of each bank; further ones are rare and collected aside.
    u64 seen[WARP], extra[WARP];
    u32 used = 0, extras = 0, worst = 1;
    for (u32 m = part; m; m &= m - 1) {
      u64 x = a.lane[__builtin_ctz(m)] >> shift;
      u32 bank = static_cast<u32>(x) & (perPass - 1);
      if (!(used >> bank & 1)) used |= 1u << bank, seen[bank] = x;
      else if (seen[bank] != x) extra[extras++] = x;
    }
    if (extras) {
      std::sort(extra, extra + extras);
      u32 perBank[WARP] = {};
      for (u64 *p = extra, *end = std::unique(extra, extra + extras); p != end; ++p)
        worst = std::max(worst, 1 + ++perBank[*p & (perPass - 1)]);
    }
    *passes += worst;
  }
}

}  // namespace leetemu
