// The order in which CTAs and warps run, CTA barriers, and the start of a CTA.
#include <algorithm>
#include <deque>
#include <random>

#include "config.h"
#include "cuda_abi.h"
#include "fault.h"
#include "run.h"

namespace leetemu {
namespace {

// A warp that spins on memory must let others run; a CTA that waits for another CTA as well.
constexpr u64 WARP_SLICE = 1 << 16;
constexpr u64 CTA_SLICE = 1 << 22;

u32 specialValue(const std::string &name, const Cta &cta, u32 thread, u32 warp) {
  const Launch &l = *cta.launch;
  u32 lane = thread % WARP;
  u32 tid[3] = {thread % l.block[0], thread / l.block[0] % l.block[1], thread / l.block[0] / l.block[1]};
  if (size_t dot = name.find('.'); dot != std::string::npos) {
    u32 axis = static_cast<u32>(name[dot + 1] - 'x');
    std::string base = name.substr(0, dot);
    return base == "tid"     ? tid[axis]
           : base == "ntid"  ? l.block[axis]
           : base == "ctaid" ? cta.index[axis]
                             : l.grid[axis];
  }
  if (name == "laneid") return lane;
  if (name == "warpid") return warp;
  if (name == "nwarpid") return 64;
  if (name == "smid") return cta.index[0] % static_cast<u32>(config().smCount);
  if (name == "nsmid") return static_cast<u32>(config().smCount);
  if (name == "gridid") return static_cast<u32>(l.id);
  if (name == "lanemask_eq") return 1u << lane;
  if (name == "lanemask_lt") return (1u << lane) - 1;
  if (name == "lanemask_le") return (2u << lane) - 1;
  if (name == "lanemask_gt") return ~((2u << lane) - 1);
  if (name == "lanemask_ge") return ~((1u << lane) - 1);
  if (name == "dynamic_smem_size") return l.dynamicBytes;
  if (name == "total_smem_size") return l.sharedBytes;
  return 0;  // "carry"
}

void startWarp(Warp &w, Cta &cta, u32 id) {
  const Launch &l = *cta.launch;
  Kernel &k = *l.kernel;
  u32 threads = l.block[0] * l.block[1] * l.block[2], here = std::min(WARP, threads - id * WARP);
  w.cta = &cta, w.id = id;
  w.live = here == WARP ? ALL_LANES : (1u << here) - 1;
  w.state = WarpState::ready;
  w.groups.assign(1, {k.entry, w.live, false});
  w.current = 0;
  w.pending.clear();
  std::fill(w.committed, w.committed + WARP, 0);
  // Registers that nobody wrote hold another pattern under every schedule.
  u8 pattern = config().order == Order::forward ? 0 : config().order == Order::reverse ? 0xff : 0xa5;
  w.registers.resize(k.registerBytes / 8 + 16);
  u64 start = roundUp(reinterpret_cast<u64>(w.registers.data()), 64);
  w.base[0] = reinterpret_cast<u8 *>(start);
  memset(w.base[0], pattern, k.clearedBytes);
  w.base[1] = reinterpret_cast<u8 *>(k.constants.data());
  w.lists = k.lists.data();
  w.code = k.code.data();
  w.counts = k.counts.data();
  w.patterns = k.patterns.data();
  if (k.localBytes > LOCAL_BASE) {
    w.localStore.resize(k.localBytes / 8 * WARP);
    memset(w.localStore.data(), pattern, w.localStore.size() * 8);
    w.local = reinterpret_cast<u8 *>(w.localStore.data());
  }
  for (const SpecialInit &s : k.specials)
    for (u32 lane = 0; lane < WARP; ++lane) w.dst<u32>(s.at)[lane] = specialValue(s.name, cta, id * WARP + lane, id);
}

// Warps of a CTA in the order in which they are tried.
std::vector<u32> warpOrder(u32 n, std::mt19937_64 &random) {
  std::vector<u32> order(n);
  for (u32 k = 0; k < n; ++k) order[k] = config().order == Order::reverse ? n - 1 - k : k;
  if (config().order == Order::random) std::shuffle(order.begin(), order.end(), random);
  return order;
}

[[noreturn]] void deadlock(Cta &cta) {
  std::string text = format("divergent barrier: kernel %s, CTA (%u,%u,%u): ", cta.launch->kernel->name.c_str(),
                            cta.index[0], cta.index[1], cta.index[2]);
  for (u32 id = 0; id < 16; ++id) {
    const Barrier &b = cta.barriers[id];
    if (!b.arrivedWarps) continue;
    text += format("barrier %u has %u threads, warps %08x, and waits for ", id, b.arrived, b.arrivedWarps);
    text += b.expected ? format("%u threads; ", b.expected) : "every thread that has not ended; ";
  }
  throw Fault(CUDA_ERROR_LAUNCH_FAILED, text + "no warp can go on");
}

// Runs a CTA for a while. True when it has ended.
bool runCta(Cta &cta, std::mt19937_64 &random) {
  u64 done = 0;
  while (cta.liveWarps && done < CTA_SLICE) {
    bool any = false;
    for (u32 id : warpOrder(static_cast<u32>(cta.launch->warpsPerCta()), random)) {
      Warp &w = *cta.warps[id];
      if (w.state != WarpState::ready) continue;
      any = true;
      u64 slice = config().order == Order::random ? 1 + random() % 512 : WARP_SLICE;
      u64 n = runWarp(w, slice);
      done += n;
      cta.launch->executed += n;
      if (w.state == WarpState::done) --cta.liveWarps, recheckBarriers(cta);
    }
    if (!any) deadlock(cta);
    if (cta.launch->executed > config().maxInstructions)
      throw Fault(CUDA_ERROR_LAUNCH_TIMEOUT,
                  format("kernel %s: more than %llu warp instructions", cta.launch->kernel->name.c_str(),
                         static_cast<unsigned long long>(config().maxInstructions)));
  }
  return cta.liveWarps == 0;
}

void release(Cta &cta, u32 id) {
  Barrier &b = cta.barriers[id];
  cta.shadow.barrier(b.arrivedWarps, b.waitingWarps);
  ++cta.launch->kernel->barriers;
  for (u32 rest = b.waitingWarps; rest; rest &= rest - 1) {
    Warp &w = *cta.warps[static_cast<u32>(__builtin_ctz(rest))];
    w.state = WarpState::ready;
    // The instruction before the pc is the one that waited.
    const Ins &i = w.code[w.groups[0].pc - 1];
    BarrierKind kind = static_cast<BarrierKind>(i.aux);
    u32 lanesOf = w.groups[0].mask;
    if (kind == BarrierKind::redPopc) lanes(lanesOf, [&](u32 l) { w.dst<u32>(i.d)[l] = b.popc; });
    if (kind == BarrierKind::redAnd) w.setPred(i.d, lanesOf, b.all ? ALL_LANES : 0);
    if (kind == BarrierKind::redOr) w.setPred(i.d, lanesOf, b.any ? ALL_LANES : 0);
  }
  b = Barrier();
}

bool complete(const Cta &cta, const Barrier &b) {
  if (!b.arrivedWarps) return false;
  if (b.expected) return b.arrived >= b.expected;
  for (u32 k = 0; k < cta.launch->warpsPerCta(); ++k)
    if (cta.warps[k]->state != WarpState::done && !(b.arrivedWarps >> k & 1)) return false;
  return true;
}

}  // namespace

std::string Warp::name(u32 lane) const {
  const Launch &l = *cta->launch;
  u32 t = thread(lane);
  return format("CTA (%u,%u,%u) thread (%u,%u,%u)", cta->index[0], cta->index[1], cta->index[2], t % l.block[0],
                t / l.block[0] % l.block[1], t / l.block[0] / l.block[1]);
}

void Cta::start(Launch &l, u64 linearIndex) {
  launch = &l;
  checkInit = config().checkInit, checkRace = config().checkRace, lateCopies = config().lateCopies;
  index[0] = static_cast<u32>(linearIndex % l.grid[0]);
  index[1] = static_cast<u32>(linearIndex / l.grid[0] % l.grid[1]);
  index[2] = static_cast<u32>(linearIndex / l.grid[0] / l.grid[1]);
  u32 n = l.warpsPerCta();
  // What nobody wrote is never read where that is checked.
  if (checkInit) shared.resize(l.sharedBytes + 16);
  else shared.assign(l.sharedBytes + 16, 0xff);
  sharedWritten.assign(l.sharedBytes / 8 + 4, 0);
  shadow.reset(l.sharedBytes, n);
  for (Barrier &b : barriers) b = Barrier();
  while (warps.size() < n) warps.push_back(std::make_unique<Warp>());
  for (u32 k = 0; k < n; ++k) startWarp(*warps[k], *this, k);
  liveWarps = n;
}

void arriveAtBarrier(Warp &w, const Ins &i, u32 mask) {
  Cta &cta = *w.cta;
  u32 first = static_cast<u32>(__builtin_ctz(mask)), id = w.src<u32>(i.a)[first];
  u32 expected = i.b == NO_REF ? 0 : w.src<u32>(i.b)[first];
  u32 threads = roundUp(cta.launch->block[0] * cta.launch->block[1] * cta.launch->block[2], WARP);
  if (id >= 16 || (i.b != NO_REF && (expected == 0 || expected % WARP || expected > threads)))
    throw Fault(CUDA_ERROR_LAUNCH_FAILED,
                format("%s: barrier %u with %u threads: ids are 0..15, counts are multiples of 32 up to "
                       "the block size",
                       w.name(first).c_str(), id, expected));
  Barrier &b = cta.barriers[id];
  if (b.arrivedWarps && b.expected != expected)
    throw Fault(CUDA_ERROR_LAUNCH_FAILED,
                format("divergent barrier: %s: barrier %u with %u threads, others wait there with %u",
                       w.name(first).c_str(), id, expected, b.expected));
  if (b.arrivedWarps >> w.id & 1)
    throw Fault(CUDA_ERROR_LAUNCH_FAILED,
                format("divergent barrier: %s arrives twice at barrier %u", w.name(first).c_str(), id));
  b.expected = expected;
  b.arrived += WARP;
  b.arrivedWarps |= 1u << w.id;
  BarrierKind kind = static_cast<BarrierKind>(i.aux);
  if (kind != BarrierKind::arrive) {
    b.waitingWarps |= 1u << w.id;
    w.state = WarpState::atBarrier;
  }
  if (i.c != NO_REF) {
    u32 p = (w.pred(i.c) ^ (i.size ? ALL_LANES : 0)) & mask;
    b.popc += static_cast<u32>(__builtin_popcount(p));
    b.all = b.all && p == mask;
    b.any = b.any || p != 0;
  }
  if (complete(cta, b)) release(cta, id);
}

void recheckBarriers(Cta &cta) {
  for (u32 id = 0; id < 16; ++id)
    if (complete(cta, cta.barriers[id])) release(cta, id);
}

void runLaunch(Launch &l) {
  std::mt19937_64 random(config().seed + l.id);
  u64 total = static_cast<u64>(l.grid[0]) * l.grid[1] * l.grid[2];
  std::vector<u64> order;
  if (config().order == Order::random) {
    for (u64 k = 0; k < total; ++k) order.push_back(k);
    std::shuffle(order.begin(), order.end(), random);
  }
  ++l.kernel->launches;
  l.kernel->ctas += total;
  std::vector<std::unique_ptr<Cta>> spare;
  std::deque<std::unique_ptr<Cta>> waiting;
  auto finish = [&](std::unique_ptr<Cta> cta) {
    if (runCta(*cta, random)) spare.push_back(std::move(cta));
    else waiting.push_back(std::move(cta));
  };
  for (u64 k = 0; k < total; ++k) {
    std::unique_ptr<Cta> cta;
    if (!spare.empty()) cta = std::move(spare.back()), spare.pop_back();
    else cta = std::make_unique<Cta>();
    cta->start(l, !order.empty() ? order[k] : config().order == Order::reverse ? total - 1 - k : k);
    finish(std::move(cta));
    // CTAs that outlast their slice take turns with new ones, as many at a time as the device would hold.
    while (waiting.size() >= static_cast<size_t>(config().smCount)) {
      auto next = std::move(waiting.front());
      waiting.pop_front();
      finish(std::move(next));
    }
  }
  while (!waiting.empty()) {
    auto next = std::move(waiting.front());
    waiting.pop_front();
    finish(std::move(next));
  }
}

}  // namespace leetemu
