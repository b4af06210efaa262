#include "fault.h"

#include <cstdio>
#include <mutex>

#include "config.h"

namespace leetemu {
namespace {
std::mutex lock;
std::string text;
u64 lines = 0;
constexpr size_t KEPT_BYTES = 1 << 16;
}  // namespace

std::string format(const char *fmt, ...) {
  char buffer[2048];
  va_list args;
  va_start(args, fmt);
  vsnprintf(buffer, sizeof buffer, fmt, args);
  va_end(args);
  return buffer;
}

void report(const std::string &line) {
  std::lock_guard<std::mutex> hold(lock);
  ++lines;
  text += line + "\n";
  if (text.size() > KEPT_BYTES) text.erase(0, text.size() - KEPT_BYTES);
  if (!config().quiet) fprintf(stderr, "leetemu: %s\n", line.c_str());
}

std::string reportText() {
  std::lock_guard<std::mutex> hold(lock);
  return text;
}

void reportClear() {
  std::lock_guard<std::mutex> hold(lock);
  text.clear();
  lines = 0;
}

u64 reportCount() {
  std::lock_guard<std::mutex> hold(lock);
  return lines;
}

}  // namespace leetemu
