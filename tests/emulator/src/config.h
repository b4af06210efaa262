// What the environment (LEETEMU_*) or leetemu_configure asks for. README.md documents every key.
#pragma once
#include <string>
#include <vector>

#include "base.h"

namespace leetemu {

enum class Order : u8 { forward, reverse, random };

// Call number `call` (from 1) of `function` returns `code`; with `from`, every later call as well.
struct FailRule {
  std::string function;
  u64 call = 1;
  int code = 0;
  bool from = false;
};

// Line `line` of the module that defines the kernel is replaced when it is loaded.
struct Patch {
  std::string kernel, text;
  u64 line = 0;
};

struct Config {
  int devices = 1;
  u64 memoryBytes = 8ull << 30;
  int smCount = 108;
  int ccMajor = 8, ccMinor = 0;
  int driverVersion = 13000;
  Order order = Order::forward;
  u64 seed = 1;
  bool lateCopies = true;   // cp.async lands at the wait; otherwise at once
  bool lateStreams = true;  // stream work runs when something waits for it; otherwise at the call
  bool quiet = false;
  bool checkInit = true, checkRace = true, checkHostInit = true;
  u64 maxInstructions = 20'000'000'000ull;  // warp instructions of one launch
  bool lazyLoading = true;                  // kernels are decoded when somebody asks for them
  std::string countersFile;
  Patch patch;
  std::vector<FailRule> failures;
};

Config &config();

// Sets one key to a value. Returns an empty string, or what is wrong with it.
std::string configure(const std::string &key, const std::string &value);

}  // namespace leetemu
