// Runs the .isa tables: one kernel per line, once with one lane per case and once with all 32 lanes.
#include "table.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "device.h"

namespace isa {
namespace {

struct Line {
  std::string statement;
  std::vector<std::string> results, sources;
  double tolerance = 0;
  int ulps = 0;
  struct Case {
    std::vector<std::string> sources, results;
  };
  std::vector<Case> cases;
};

std::vector<std::string> split(const std::string &text, char by) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, by);) parts.push_back(part);
  return parts;
}

std::vector<std::string> words(const std::string &text) {
  std::stringstream stream(text);
  std::vector<std::string> r;
  for (std::string w; stream >> w;) r.push_back(w);
  return r;
}

const char *const RESULT_NAMES[] = {"%d", "%e"};
const char *const SOURCE_NAMES[] = {"%a", "%b", "%c", "%f"};

// The last '|' that is followed by a list of types separates the statement, which may itself contain '|'.
bool parseLine(const std::string &text, Line &line) {
  size_t at = text.find(" | ");
  if (at == std::string::npos) return false;
  line.statement = text.substr(0, at);
  std::vector<std::string> fields = split(text.substr(at + 3), '|');
  if (fields.size() < 2) return false;
  auto sides = split(fields[0], '=');
  if (sides.size() != 2) return false;
  line.results = words(sides[0]), line.sources = words(sides[1]);
  for (size_t k = 1; k < fields.size(); ++k) {
    auto w = words(fields[k]);
    if (w.size() == 1 && w[0].rfind("tol=", 0) == 0) {
      line.tolerance = atof(w[0].c_str() + 4);
      continue;
    }
    if (w.size() == 1 && w[0].rfind("ulps=", 0) == 0) {
      line.ulps = atoi(w[0].c_str() + 5);
      continue;
    }
    Line::Case c;
    bool right = false;
    for (auto &x : w) {
      if (x == "=") right = true;
      else (right ? c.results : c.sources).push_back(x);
    }
    if (c.results.size() != line.results.size() || c.sources.size() != line.sources.size()) return false;
    line.cases.push_back(c);
  }
  if (line.statement.find('%') == std::string::npos) {
    std::string s = line.statement + " %d";
    for (size_t k = 0; k < line.sources.size(); ++k) s += std::string(", ") + SOURCE_NAMES[k];
    line.statement = s + ";";
  }
  return !line.cases.empty() && line.cases.size() <= 32;
}

int bitsOf(const std::string &type) {
  return type == "pred" ? 32 : atoi(type.c_str() + type.find_first_of("0123456789"));
}

uint64_t valueBits(const std::string &text, const std::string &type) {
  if (text.rfind("0f", 0) == 0) return strtoull(text.c_str() + 2, nullptr, 16);
  if (type == "f32") {
    float x = strtof(text.c_str(), nullptr);
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
  }
  if (type == "f64") {
    double x = strtod(text.c_str(), nullptr);
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
  }
  uint64_t v =
      text[0] == '-' ? static_cast<uint64_t>(strtoll(text.c_str(), nullptr, 0)) : strtoull(text.c_str(), nullptr, 0);
  int bits = bitsOf(type);
  return bits == 64 ? v : v & ((1ull << bits) - 1);
}

double asDouble(uint64_t bits, const std::string &type) {
  if (type == "f32") {
    float x;
    uint32_t u = static_cast<uint32_t>(bits);
    memcpy(&x, &u, sizeof x);
    return x;
  }
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

bool same(uint64_t got, uint64_t want, const std::string &type, double tolerance, int ulps) {
  if (got == want) return true;
  if (ulps > 0) {
    for (int at = 0; at < bitsOf(type); at += 16)
      if (std::abs(static_cast<int>(got >> at & 0xffff) - static_cast<int>(want >> at & 0xffff)) > ulps) return false;
    return true;
  }
  if (type != "f32" && type != "f64") return false;
  double g = asDouble(got, type), w = asDouble(want, type);
  if (std::isnan(w)) return std::isnan(g);
  return tolerance > 0 && std::fabs(g - w) <= tolerance * std::fabs(w);
}

std::string registerOf(const std::string &name, const std::string &type) {
  return "  .reg ." + type + " " + name + ";\n";
}

// Loads 8 bytes per source and lane, runs the statement, stores 8 bytes per result and lane.
std::string kernelText(const Line &line) {
  std::string s = ptxHeader() + ".visible .entry k(.param .u64 in, .param .u64 out)\n{\n";
  s += "  .reg .b64 %addr, %off;\n  .reg .b32 %lane, %word;\n";
  for (size_t k = 0; k < line.results.size(); ++k) s += registerOf(RESULT_NAMES[k], line.results[k]);
  for (size_t k = 0; k < line.sources.size(); ++k) s += registerOf(SOURCE_NAMES[k], line.sources[k]);
  s += "  mov.u32 %lane, %tid.x;\n  ld.param.u64 %addr, [in];\n";
  s += "  mul.wide.u32 %off, %lane, " + std::to_string(8 * line.sources.size()) + ";\n  add.u64 %addr, %addr, %off;\n";
  for (size_t k = 0; k < line.sources.size(); ++k) {
    std::string at = "[%addr+" + std::to_string(8 * k) + "]";
    if (line.sources[k] == "pred")
      s += "  ld.global.b32 %word, " + at + ";\n  setp.ne.u32 " + SOURCE_NAMES[k] + ", %word, 0;\n";
    else s += "  ld.global.b" + std::to_string(bitsOf(line.sources[k])) + " " + SOURCE_NAMES[k] + ", " + at + ";\n";
  }
  s += "  " + line.statement + "\n  ld.param.u64 %addr, [out];\n";
  s += "  mul.wide.u32 %off, %lane, " + std::to_string(8 * line.results.size()) + ";\n  add.u64 %addr, %addr, %off;\n";
  for (size_t k = 0; k < line.results.size(); ++k) {
    std::string at = "[%addr+" + std::to_string(8 * k) + "]";
    if (line.results[k] == "pred")
      s += std::string("  selp.u32 %word, 1, 0, ") + RESULT_NAMES[k] + ";\n  st.global.b32 " + at + ", %word;\n";
    else s += "  st.global.b" + std::to_string(bitsOf(line.results[k])) + " " + at + ", " + RESULT_NAMES[k] + ";\n";
  }
  return s + "  ret;\n}\n";
}

std::string runLine(const Line &line, const Module &module, unsigned lanes) {
  size_t ns = line.sources.size(), nr = line.results.size(), n = line.cases.size();
  std::vector<uint64_t> in(lanes * ns), out(lanes * nr, 0);
  for (unsigned l = 0; l < lanes; ++l)
    for (size_t k = 0; k < ns; ++k) in[l * ns + k] = valueBits(line.cases[l % n].sources[k], line.sources[k]);
  Buffer<uint64_t> bin(in), bout(out);
  if (int e = launch(module.function("k"), {1, lanes, 0}, {&bin.address, &bout.address}))
    return "launch: error " + std::to_string(e);
  out = bout.get();
  for (unsigned l = 0; l < lanes; ++l)
    for (size_t k = 0; k < nr; ++k) {
      uint64_t want = valueBits(line.cases[l % n].results[k], line.results[k]);
      if (same(out[l * nr + k], want, line.results[k], line.tolerance, line.ulps)) continue;
      char text[200];
      snprintf(text, sizeof text, "case %zu, %u lanes, result %zu: 0x%llx, expected 0x%llx", l % n + 1, lanes, k + 1,
               static_cast<unsigned long long>(out[l * nr + k]), static_cast<unsigned long long>(want));
      return text;
    }
  return "";
}

}  // namespace

const char *const SKIPPED = "skipped";

void runTable(const std::string &path, void (*done)(const std::string &name, const std::string &problem)) {
  std::ifstream file(path);
  int number = 0;
  if (!file) done(path, "cannot be read");
  for (std::string text; std::getline(file, text);) {
    ++number;
    if (text.empty() || text[0] == '#') continue;
    Line line;
    std::string name =
        path.substr(path.rfind('/') + 1) + ":" + std::to_string(number) + " " + text.substr(0, text.find(" | "));
    if (!parseLine(text, line)) {
      done(name, "malformed line");
      continue;
    }
    Module module(kernelText(line));
    if (module.status) {
      done(name, lacksForms() ? SKIPPED : "load: error " + std::to_string(module.status));
      continue;
    }
    std::string problem = runLine(line, module, static_cast<unsigned>(line.cases.size()));
    if (problem.empty()) problem = runLine(line, module, 32);
    done(name, problem);
  }
}

}  // namespace isa
