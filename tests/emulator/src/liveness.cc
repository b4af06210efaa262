#include "liveness.h"

#include <algorithm>
#include <set>

namespace leetemu {
namespace {

using Bits = std::vector<u64>;

struct Block {
  u32 from = 0, to = 0;  // statements, `to` excluded
  std::vector<u32> next;
  Bits needs, kills, in, out;  // by register: read before written, written for certain, alive at the start and end
};

bool ends(const Statement &s) { return s.op == "bra" || s.op == "brx" || s.op == "ret" || s.op == "exit"; }

bool writesFirst(const Statement &s) {
  static const std::set<std::string_view> NONE = {"st",    "red",      "bra",     "brx",       "bar",      "barrier",
                                                  "cp",    "ret",      "exit",    "trap",      "membar",   "fence",
                                                  "brkpt", "prefetch", "pmevent", "nanosleep", "prefetchu"};
  // bar.red has a result, bar.sync has not.
  if ((s.op == "bar" || s.op == "barrier") && std::count(s.mods.begin(), s.mods.end(), "red")) return true;
  return !NONE.count(s.op);
}

template <class F>
void forRegisters(const Operand &o, F f) {
  if (o.kind == Operand::reg) f(o.index);
  for (const Operand &part : o.parts) forRegisters(part, f);
}

// f(register, isWrite) for every register of a statement, reads first.
template <class F>
void forUses(const Statement &s, F f) {
  bool writes = writesFirst(s);
  if (s.guard >= 0) f(static_cast<u32>(s.guard), false);
  for (size_t k = 0; k < s.operands.size(); ++k)
    if (k > 0 || !writes || s.operands[0].kind == Operand::address)
      forRegisters(s.operands[k], [&](u32 r) { f(r, false); });
  if (writes && !s.operands.empty() && s.operands[0].kind != Operand::address)
    forRegisters(s.operands[0], [&](u32 r) { f(r, true); });
}

void set(Bits &bits, u32 n) { bits[n / 64] |= 1ull << n % 64; }
bool has(const Bits &bits, u32 n) { return bits[n / 64] >> n % 64 & 1; }

// Statements that a statement may go to besides the next one; false for a label that is not there.
bool targetsOf(const FunctionAst &f, const Statement &s, std::vector<u32> &out) {
  std::vector<std::string> names;
  if (s.op == "bra" && s.operands.size() == 1) names.push_back(s.operands[0].name);
  for (auto &[list, labels] : f.branchTargets)
    if (s.op == "brx" && s.operands.size() == 2 && list == s.operands[1].name) names = labels;
  for (const std::string &name : names) {
    u32 statement = 0;
    if (!findLabel(f, s.scope, name, &statement)) return false;
    out.push_back(statement);
  }
  return !names.empty() || (s.op != "bra" && s.op != "brx");
}

// The blocks of a body in order; none when a branch cannot be followed.
std::vector<Block> blocksOf(const FunctionAst &f) {
  const u32 n = static_cast<u32>(f.body.size());
  std::vector<bool> starts(n + 1);
  std::vector<std::vector<u32>> targets(n);
  starts[0] = true;
  for (u32 k = 0; k < n; ++k) {
    if (f.body[k].op == "call" || !targetsOf(f, f.body[k], targets[k])) return {};
    for (u32 t : targets[k]) starts[t] = true;
    if (ends(f.body[k])) starts[k + 1] = true;
  }
  std::vector<Block> blocks;
  std::vector<u32> blockAt(n + 1);
  for (u32 k = 0; k < n; ++k) {
    if (starts[k]) blocks.push_back({k, k, {}, {}, {}, {}, {}});
    blockAt[k] = static_cast<u32>(blocks.size() - 1);
    blocks.back().to = k + 1;
  }
  blockAt[n] = static_cast<u32>(blocks.size());
  for (Block &b : blocks) {
    const Statement &last = f.body[b.to - 1];
    std::vector<u32> next = targets[b.to - 1];
    if (!ends(last) || last.guard >= 0) next.push_back(b.to);
    for (u32 t : next)
      if (t < n) b.next.push_back(blockAt[t]);
  }
  return blocks;
}

void solve(const FunctionAst &f, std::vector<Block> &blocks) {
  const size_t words = f.registers.size() / 64 + 1;
  for (Block &b : blocks) {
    b.needs = b.kills = b.in = b.out = Bits(words);
    for (u32 k = b.from; k < b.to; ++k)
      forUses(f.body[k], [&](u32 r, bool isWrite) {
        if (!isWrite && !has(b.kills, r)) set(b.needs, r);
        if (isWrite && f.body[k].guard < 0) set(b.kills, r);
      });
  }
  for (bool changes = true; changes;) {
    changes = false;
    for (size_t n = blocks.size(); n-- > 0;) {
      Block &b = blocks[n];
      for (size_t k = 0; k < words; ++k) {
        u64 out = 0;
        for (u32 next : b.next) out |= blocks[next].in[k];
        u64 in = b.needs[k] | (out & ~b.kills[k]);
        changes = changes || in != b.in[k];
        b.out[k] = out, b.in[k] = in;
      }
    }
  }
}

}  // namespace

bool findLabel(const FunctionAst &f, u32 scope, const std::string &name, u32 *statement) {
  for (i32 k = static_cast<i32>(scope); k >= 0; k = f.scopes[static_cast<u32>(k)].parent) {
    auto &labels = f.scopes[static_cast<u32>(k)].labels;
    auto it = labels.find(name);
    if (it != labels.end()) return *statement = it->second, true;
  }
  return false;
}

std::vector<LiveRange> liveRanges(const FunctionAst &f) {
  std::vector<Block> blocks = blocksOf(f);
  if (blocks.empty()) return {};
  solve(f, blocks);
  std::vector<LiveRange> ranges(f.registers.size());
  auto cover = [&](u32 r, u32 statement) {
    LiveRange &x = ranges[r];
    if (x.first > x.last) x.first = x.last = statement;
    x.first = std::min(x.first, statement), x.last = std::max(x.last, statement);
  };
  for (const Block &b : blocks) {
    for (u32 k = b.from; k < b.to; ++k) forUses(f.body[k], [&](u32 r, bool) { cover(r, k); });
    for (u32 r = 0; r < ranges.size(); ++r) {
      if (has(b.in, r)) cover(r, b.from);
      if (has(b.out, r)) cover(r, b.to - 1);
    }
  }
  for (u32 r = 0; r < ranges.size(); ++r) ranges[r].fromStart = has(blocks[0].in, r);
  return ranges;
}

}  // namespace leetemu
