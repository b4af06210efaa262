#include "config.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <sstream>

namespace leetemu {
namespace {

bool parseUnsigned(const std::string &text, u64 &out) {
  if (text.empty() || text[0] == '-') return false;
  char *end = nullptr;
  errno = 0;
  out = strtoull(text.c_str(), &end, 0);
  if (errno != 0) return false;
  if (*end == 'K') out <<= 10, ++end;
  else if (*end == 'M') out <<= 20, ++end;
  else if (*end == 'G') out <<= 30, ++end;
  return *end == 0;
}

std::vector<std::string> split(const std::string &text, char by) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, by);) parts.push_back(part);
  return parts;
}

bool setFailures(Config &c, const std::string &value) {
  std::vector<FailRule> rules;
  for (const std::string &item : split(value, ',')) {
    auto f = split(item, ':');
    FailRule rule;
    u64 code = 0;
    if (f.size() < 3 || f.size() > 4 || !parseUnsigned(f[1], rule.call) || !parseUnsigned(f[2], code)) return false;
    if (rule.call == 0 || code == 0) return false;
    if (f.size() == 4 && f[3] != "from") return false;
    rule.function = f[0];
    rule.code = static_cast<int>(code);
    rule.from = f.size() == 4;
    rules.push_back(rule);
  }
  c.failures = rules;
  return true;
}

bool setPatch(Config &c, const std::string &value) {
  Patch p;
  size_t first = value.find(':'), second = value.find(':', first + 1);
  if (!value.empty()) {
    if (second == std::string::npos || !parseUnsigned(value.substr(first + 1, second - first - 1), p.line))
      return false;
    p.kernel = value.substr(0, first);
    p.text = value.substr(second + 1);
  }
  c.patch = p;
  return true;
}

bool setSchedule(Config &c, const std::string &value) {
  if (value == "forward") c.order = Order::forward, c.lateCopies = true;
  else if (value == "reverse") c.order = Order::reverse, c.lateCopies = false;
  else if (value.rfind("random:", 0) == 0 && parseUnsigned(value.substr(7), c.seed)) {
    c.order = Order::random;
    c.lateCopies = (c.seed & 1) != 0;
  } else return false;
  return true;
}

bool setChecks(Config &c, const std::string &value) {
  bool init = false, race = false, host = false;
  if (value == "on") init = race = host = true;
  else if (value != "off")
    for (const std::string &word : split(value, ',')) {
      if (word == "init") init = true;
      else if (word == "race") race = true;
      else if (word == "hostinit") host = true;
      else return false;
    }
  c.checkInit = init, c.checkRace = race, c.checkHostInit = host;
  return true;
}

bool setCapability(Config &c, const std::string &value) {
  auto parts = split(value, '.');
  u64 major = 0, minor = 0;
  if (parts.size() != 2 || !parseUnsigned(parts[0], major) || !parseUnsigned(parts[1], minor)) return false;
  c.ccMajor = static_cast<int>(major), c.ccMinor = static_cast<int>(minor);
  return true;
}

template <class T>
std::function<bool(Config &, const std::string &)> number(T Config::*field, u64 low, u64 high) {
  return [=](Config &c, const std::string &value) {
    u64 x = 0;
    if (!parseUnsigned(value, x) || x < low || x > high) return false;
    c.*field = static_cast<T>(x);
    return true;
  };
}

struct Key {
  const char *name, *expected;
  std::function<bool(Config &, const std::string &)> set;
};

const std::vector<Key> &keys() {
  static const std::vector<Key> table = {
      {"DEVICES", "0..64", number(&Config::devices, 0, 64)},
      {"MEMORY", "bytes, K, M or G suffix allowed", number(&Config::memoryBytes, 1 << 16, 1ull << 42)},
      {"SM_COUNT", "1..1024", number(&Config::smCount, 1, 1024)},
      {"CC", "compute capability such as 8.0", setCapability},
      {"DRIVER", "1000 * major + 10 * minor", number(&Config::driverVersion, 0, 99999)},
      {"SCHEDULE", "forward, reverse or random:SEED", setSchedule},
      {"STREAMS", "late or eager",
       [](Config &c, const std::string &v) {
         c.lateStreams = v == "late";
         return v == "late" || v == "eager";
       }},
      {"LOADING", "lazy or eager",
       [](Config &c, const std::string &v) {
         c.lazyLoading = v == "lazy";
         return v == "lazy" || v == "eager";
       }},
      {"QUIET", "0 or 1", number(&Config::quiet, 0, 1)},
      {"CHECKS", "on, off or a list of init, race, hostinit", setChecks},
      {"MAX_INSTRUCTIONS", "warp instructions per launch", number(&Config::maxInstructions, 1, ~0ull)},
      {"COUNTERS", "path of a JSON file",
       [](Config &c, const std::string &v) {
         c.countersFile = v;
         return true;
       }},
      {"PATCH", "kernel:line:text", setPatch},
      {"FAIL", "function:call:code[:from],...", setFailures},
  };
  return table;
}

Config fromEnvironment() {
  Config c;
  for (const Key &key : keys()) {
    const char *value = getenv((std::string("LEETEMU_") + key.name).c_str());
    if (value && *value && !key.set(c, value)) {
      fprintf(stderr, "leetemu: LEETEMU_%s=%s: expected %s\n", key.name, value, key.expected);
      abort();
    }
  }
  return c;
}

}  // namespace

Config &config() {
  static Config c = fromEnvironment();
  return c;
}

std::string configure(const std::string &key, const std::string &value) {
  for (const Key &k : keys())
    if (key == k.name) return k.set(config(), value) ? "" : key + "=" + value + ": expected " + k.expected;
  return "unknown key " + key;
}

}  // namespace leetemu
