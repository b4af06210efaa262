#include "counters.h"

#include <unistd.h>

#include <cstdio>
#include <map>
#include <set>
#include <vector>

#include "config.h"
#include "fault.h"

namespace leetemu {
namespace {

struct Traffic {
  u64 sectors = 0, bytes = 0;
};

struct Line {
  std::string name;
  u64 executed = 0, wavefronts = 0, ideal = 0;
};

struct Totals {
  u64 launches = 0, ctas = 0, barriers = 0, executed = 0;
  u64 sharedWavefronts = 0, sharedIdeal = 0;
  u32 registers = 0, sharedBytes = 0, localBytes = 0;
  Traffic loads, stores, atomics;
  std::map<std::string, u64> instructions;
  std::map<u32, Line> shared;  // by PTX line
};

std::map<std::string, Totals> gone;
std::set<const Kernel *> live;
std::map<std::string, u64> calls;
std::vector<std::string> leaks;

bool startsWith(const std::string &s, const char *prefix) { return s.rfind(prefix, 0) == 0; }

void add(Totals &t, const Kernel &k) {
  t.launches += k.launches, t.ctas += k.ctas, t.barriers += k.barriers;
  t.sharedBytes = k.sharedBytes, t.localBytes = k.localBytes > LOCAL_BASE ? k.localBytes - LOCAL_BASE : 0;
  for (size_t pc = 0; pc < k.code.size(); ++pc) {
    const InsCount &c = k.counts[pc];
    if (!c.executed) continue;
    const std::string &name = k.opNames[k.code[pc].name];
    t.executed += c.executed;
    t.instructions[name] += c.executed;
    Traffic &traffic = startsWith(name, "st")                                 ? t.stores
                       : startsWith(name, "atom") || startsWith(name, "red.") ? t.atomics
                                                                              : t.loads;
    traffic.sectors += c.sectors, traffic.bytes += c.bytes;
    t.sharedWavefronts += c.wavefronts, t.sharedIdeal += c.ideal;
    if (!c.ideal) continue;
    Line &line = t.shared[k.code[pc].line];
    line.name = name;
    line.executed += c.executed, line.wavefronts += c.wavefronts, line.ideal += c.ideal;
  }
}

std::string number(u64 x) { return std::to_string(x); }

std::string factor(u64 wavefronts, u64 ideal) {
  return ideal ? format("%.4f", static_cast<double>(wavefronts) / static_cast<double>(ideal)) : "1";
}

std::string quoted(const std::string &s) {
  std::string r = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') r += '\\';
    if (static_cast<u8>(c) >= ' ') r += c;
  }
  return r + "\"";
}

std::string trafficJson(const char *name, const Traffic &t) {
  return quoted(name) + ": {\"sectors\": " + number(t.sectors) + ", \"sector_bytes\": " + number(32 * t.sectors) +
         ", \"requested_bytes\": " + number(t.bytes) + "}";
}

std::string countMap(const std::map<std::string, u64> &m, const char *only) {
  std::string r = "{";
  for (auto &[name, n] : m)
    if (startsWith(name, only)) r += (r.size() > 1 ? ", " : "") + quoted(name) + ": " + number(n);
  return r + "}";
}

std::string kernelJson(const std::string &name, const Totals &t) {
  std::string r =
      "    {\"name\": " + quoted(name) + ", \"launches\": " + number(t.launches) + ", \"ctas\": " + number(t.ctas) +
      ", \"barriers\": " + number(t.barriers) + ", \"warp_instructions\": " + number(t.executed) +
      ",\n     \"static_shared_bytes\": " + number(t.sharedBytes) + ", \"local_bytes\": " + number(t.localBytes) +
      ",\n     " + trafficJson("global_load", t.loads) + ",\n     " + trafficJson("global_store", t.stores) +
      ",\n     " + trafficJson("global_atomic", t.atomics) +
      ",\n     \"shared\": {\"wavefronts\": " + number(t.sharedWavefronts) + ", \"ideal\": " + number(t.sharedIdeal) +
      ", \"conflict_factor\": " + factor(t.sharedWavefronts, t.sharedIdeal) + "},\n     \"shared_lines\": [";
  bool first = true;
  for (auto &[line, x] : t.shared) {
    r += std::string(first ? "" : ", ") + "{\"line\": " + number(line) + ", \"op\": " + quoted(x.name) +
         ", \"executed\": " + number(x.executed) + ", \"conflict_factor\": " + factor(x.wavefronts, x.ideal) + "}";
    first = false;
  }
  return r + "],\n     \"mma\": " + countMap(t.instructions, "mma.") +
         ",\n     \"instructions\": " + countMap(t.instructions, "") + "}";
}

}  // namespace

void countersAbsorb(const Kernel &k) {
  if (k.launches) add(gone[k.name], k);
}
void countersTrack(const Kernel *k) { live.insert(k); }
void countersUntrack(const Kernel *k) { live.erase(k); }
void countersCall(const std::string &function) { ++calls[function]; }
void countersLeak(const std::string &json) { leaks.push_back(json); }

void countersReset() {
  gone.clear();
  calls.clear();
  leaks.clear();
  for (const Kernel *k : live) {
    Kernel *kernel = const_cast<Kernel *>(k);
    kernel->launches = kernel->ctas = kernel->barriers = 0;
    kernel->counts.assign(kernel->counts.size(), InsCount());
  }
}

void countersByLine(const std::string &kernel, u64 *counts, u32 lines) {
  for (const Kernel *k : live) {
    if (k->name != kernel) continue;
    for (size_t pc = 0; pc < k->code.size(); ++pc)
      if (k->code[pc].line < lines) counts[k->code[pc].line] += k->counts[pc].executed;
  }
}

std::string countersJson() {
  std::map<std::string, Totals> all = gone;
  for (const Kernel *k : live)
    if (k->launches) add(all[k->name], *k);
  std::string r = "{\n  \"kernels\": [\n";
  size_t n = 0;
  for (auto &[name, t] : all) r += kernelJson(name, t) + (++n < all.size() ? ",\n" : "\n");
  r += "  ],\n  \"calls\": " + countMap(calls, "") + ",\n  \"reports\": " + number(reportCount()) + ",\n  \"leaks\": [";
  for (size_t k = 0; k < leaks.size(); ++k) r += (k ? ", " : "") + leaks[k];
  return r + "]\n}\n";
}

void countersWrite() {
  std::string path = config().countersFile;
  if (path.empty()) return;
  if (size_t at = path.find("%p"); at != std::string::npos) path.replace(at, 2, std::to_string(getpid()));
  FILE *f = fopen(path.c_str(), "w");
  if (!f) return report("cannot write the counters file " + path);
  std::string json = countersJson();
  fwrite(json.data(), 1, json.size(), f);
  fclose(f);
}

}  // namespace leetemu
