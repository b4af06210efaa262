// The interpreter of one warp. Lanes that diverge become groups; the group with the lowest program counter runs, and
// groups that meet at one instruction become one.
#include "run.h"

#include <algorithm>

#include "cuda_abi.h"
#include "fault.h"
#include "lexer.h"

namespace leetemu {
namespace {

void mergeGroups(Warp &w) {
  for (size_t k = 0; k < w.groups.size(); ++k)
    for (size_t j = k + 1; j < w.groups.size();) {
      if (w.groups[j].pc != w.groups[k].pc) {
        ++j;
        continue;
      }
      w.groups[k].mask |= w.groups[j].mask;
      w.groups[k].blocked = false;
      w.groups.erase(w.groups.begin() + static_cast<long>(j));
    }
}

// The runnable group with the lowest pc becomes the current one; false when every group waits.
bool choose(Warp &w) {
  mergeGroups(w);
  bool found = false;
  for (u32 k = 0; k < w.groups.size(); ++k) {
    if (w.groups[k].blocked || (found && w.groups[k].pc >= w.groups[w.current].pc)) continue;
    w.current = k;
    found = true;
  }
  return found;
}

[[noreturn]] void stuck(Warp &w) {
  std::string text = format("warp %u of %s: its lanes wait for each other at different instructions:", w.id,
                            w.name(static_cast<u32>(__builtin_ctz(w.live))).c_str());
  for (const Group &g : w.groups) text += format(" lanes %08x at PTX line %u;", g.mask, w.code[g.pc].line);
  throw Fault(CUDA_ERROR_LAUNCH_FAILED, "divergent barrier: " + text);
}

void branch(Warp &w, Group &g, u32 taken, u32 target) {
  if (taken == g.mask) {
    g.pc = target;
    return;
  }
  ++g.pc;
  if (!taken) return;
  g.mask &= ~taken;
  w.groups.push_back({target, taken, false});
}

void indexedBranch(Warp &w, const Ins &i, u32 m) {
  const u32 *index = w.src<u32>(i.a);
  u32 at = w.current;
  for (u32 rest = m; rest;) {
    u32 l = static_cast<u32>(__builtin_ctz(rest)), same = 0;
    if (index[l] >= i.count)
      throw Fault(CUDA_ERROR_INVALID_PC, format("%s: branch index %u of %u", w.name(l).c_str(), index[l], i.count));
    lanes(rest, [&](u32 k) { same |= static_cast<u32>(index[k] == index[l]) << k; });
    w.groups.push_back({w.lists[i.list + index[l]], same, false});
    rest &= ~same;
  }
  Group &g = w.groups[at];
  g.mask &= ~m;
  if (g.mask) ++g.pc;
  else w.groups.erase(w.groups.begin() + at);
}

void returnTo(Warp &w, const Ins &i, u32 m) {
  const u32 *address = w.src<u32>(i.a);
  u32 at = w.current;
  for (u32 rest = m; rest;) {
    u32 l = static_cast<u32>(__builtin_ctz(rest)), same = 0;
    lanes(rest, [&](u32 k) { same |= static_cast<u32>(address[k] == address[l]) << k; });
    w.groups.push_back({address[l], same, false});
    rest &= ~same;
  }
  Group &g = w.groups[at];
  g.mask &= ~m;
  if (g.mask) ++g.pc;
  else w.groups.erase(w.groups.begin() + at);
}

void exitLanes(Warp &w, u32 m) {
  Group &g = w.groups[w.current];
  w.live &= ~m;
  g.mask &= ~m;
  if (g.mask) ++g.pc;
  else w.groups.erase(w.groups.begin() + w.current);
  // Lanes that wait for the rest of their warp have to look again.
  for (Group &other : w.groups) other.blocked = false;
}

// The lanes that a warp-wide instruction wants, checked.
u32 members(Warp &w, const Ins &i, u32 m) {
  if (i.flow == Flow::together) return w.live;
  const u32 *mask = w.src<u32>(i.b);
  u32 want = mask[__builtin_ctz(m)];
  lanes(m, [&](u32 l) {
    if (mask[l] != want || !(want >> l & 1))
      throw Fault(CUDA_ERROR_LAUNCH_FAILED,
                  format("%s: member mask %08x, another lane has %08x; a mask must be the same in all "
                         "lanes and name each of them",
                         w.name(l).c_str(), mask[l], want));
  });
  if (want & ~w.live)
    throw Fault(CUDA_ERROR_LAUNCH_FAILED, format("%s: member mask %08x names lanes that have ended (alive: %08x)",
                                                 w.name(static_cast<u32>(__builtin_ctz(m))).c_str(), want, w.live));
  return want;
}

// True when the control instruction leaves the fast path: groups, state or the current group may have changed.
void control(Warp &w, const Ins &i, u32 m) {
  Group &g = w.groups[w.current];
  switch (i.flow) {
    case Flow::none:
      break;
    case Flow::branch:
      return branch(w, g, m, static_cast<u32>(i.imm));
    case Flow::indexed:
      return m ? indexedBranch(w, i, m) : static_cast<void>(++g.pc);
    case Flow::call: {
      u32 *ra = w.dst<u32>(i.d), next = g.pc + 1;
      lanes(m, [&](u32 l) { ra[l] = next; });
      return branch(w, g, m, static_cast<u32>(i.imm));
    }
    case Flow::ret:
      if (i.a == NO_REF) break;
      return m ? returnTo(w, i, m) : static_cast<void>(++g.pc);
    case Flow::exit:
      break;
    case Flow::trap:
      if (!m) return static_cast<void>(++g.pc);
      throw Fault(CUDA_ERROR_LAUNCH_FAILED, w.name(static_cast<u32>(__builtin_ctz(m))) + ": trap");
    case Flow::barrier:
      if (!m) return static_cast<void>(++g.pc);
      if (m != w.live) return static_cast<void>(g.blocked = true);
      ++g.pc;
      return arriveAtBarrier(w, i, m);
    case Flow::converge:
    case Flow::together:
      if (m && members(w, i, m) != m) return static_cast<void>(g.blocked = true);
      if (m) i.fn(w, i, m);
      return static_cast<void>(++g.pc);
  }
  if (m) exitLanes(w, m);
  else ++g.pc;
}

u32 guarded(const Warp &w, const Ins &i, u32 mask) {
  if (i.guard == NO_REF) return mask;
  u32 p = w.pred(i.guard);
  return mask & (i.guardNegated ? ~p : p);
}

[[noreturn]] void inContext(const Warp &w, u32 pc, const Fault &f) {
  const Kernel &k = *w.cta->launch->kernel;
  u32 line = w.code[pc].line;
  throw Fault(f.code, format("kernel %s, %s, at PTX line %u: %s", k.name.c_str(), f.what(), line,
                             lineOf(*k.source, line).c_str()));
}

}  // namespace

u64 runWarp(Warp &w, u64 budget) {
  u64 done = 0;
  u32 pc = 0;
  try {
    while (done < budget && w.state == WarpState::ready) {
      if (w.groups.empty()) {
        w.state = WarpState::done;
        break;
      }
      if (w.groups.size() > 1 && !choose(w)) stuck(w);
      if (w.groups.size() == 1) {
        w.current = 0;
        if (w.groups[0].blocked) stuck(w);
      }
      Group &g = w.groups[w.current];
      // Straight code of one group needs no bookkeeping; with several, look for meetings after each instruction.
      bool alone = w.groups.size() == 1;
      do {
        pc = g.pc;
        const Ins &i = w.code[pc];
        u32 m = guarded(w, i, g.mask);
        ++w.counts[pc].executed;
        ++done;
        if (i.flow != Flow::none) {
          control(w, i, m);
          break;
        }
        if (m) i.fn(w, i, m);
        ++g.pc;
      } while (alone && done < budget);
    }
  } catch (const Fault &f) {
    inContext(w, pc, f);
  }
  return done;
}

}  // namespace leetemu
