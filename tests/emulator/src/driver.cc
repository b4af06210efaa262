// The frame of every driver call; initialisation, error texts, and the functions of this library's own.
#include "driver.h"

#include <algorithm>

#include "config.h"
#include "counters.h"
#include "memory.h"

namespace leetemu {
namespace {

thread_local CUcontext current = nullptr;

int injected(const std::string &function) {
  u64 n = ++driver().calls[function];
  for (const FailRule &r : config().failures)
    if (r.function == function && (n == r.call || (r.from && n > r.call))) return r.code;
  return 0;
}

struct WriteAtExit {
  ~WriteAtExit() { countersWrite(); }
};

struct ResultRow {
  int code;
  const char *name, *text;
};
const ResultRow RESULTS[] = {
#define RESULT(code, name, text) {code, #name, text},
#include "results.def"
#undef RESULT
};

}  // namespace

Driver &driver() {
  // Never destroyed: other threads and exit handlers of the host may still call.
  static Driver *d = new Driver;
  return *d;
}

CUcontext currentContext() { return current; }
void setCurrentContext(CUcontext c) { current = c; }

CUresult call(const char *function, Needs needs, const std::function<void()> &f) {
  std::lock_guard<std::recursive_mutex> hold(driver().lock);
  countersCall(function);
  if (int code = injected(function)) return static_cast<CUresult>(code);
  try {
    if (needs != Needs::nothing && !driver().initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (needs == Needs::context) {
      if (!current || !driver().contexts.count(current)) return CUDA_ERROR_INVALID_CONTEXT;
      if (current->error) return static_cast<CUresult>(current->error);
    }
    f();
    if (needs == Needs::context && driver().contexts.count(current) && current->error)
      return static_cast<CUresult>(current->error);
    return CUDA_SUCCESS;
  } catch (const Fault &fault) {
    if (fault.code != CUDA_ERROR_NOT_READY) report(std::string(function) + ": " + fault.what());
    return static_cast<CUresult>(fault.code);
  } catch (const std::bad_alloc &) {
    report(std::string(function) + ": the host is out of memory");
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
}

}  // namespace leetemu

using namespace leetemu;

LEETEMU_API CUresult cuInit(unsigned flags) {
  return call("cuInit", Needs::nothing, [&] {
    require(flags == 0, CUDA_ERROR_INVALID_VALUE, "flags must be 0");
    require(config().devices > 0, CUDA_ERROR_NO_DEVICE, "no device is configured");
    static WriteAtExit atExit;
    driver().initialised = true;
  });
}

LEETEMU_API CUresult cuDriverGetVersion(int *version) {
  return call("cuDriverGetVersion", Needs::nothing, [&] {
    require(version, CUDA_ERROR_INVALID_VALUE, "null pointer");
    *version = config().driverVersion;
  });
}

template <const char *ResultRow::*FIELD>
static CUresult resultText(const char *function, int code, const char **out) {
  return call(function, Needs::nothing, [&] {
    require(out, CUDA_ERROR_INVALID_VALUE, "null pointer");
    *out = nullptr;
    for (const ResultRow &r : RESULTS)
      if (r.code == code) *out = r.*FIELD;
    require(*out, CUDA_ERROR_INVALID_VALUE, format("unknown code %d", code));
  });
}

LEETEMU_API CUresult cuGetErrorName(CUresult code, const char **out) {
  return resultText<&ResultRow::name>("cuGetErrorName", code, out);
}

LEETEMU_API CUresult cuGetErrorString(CUresult code, const char **out) {
  return resultText<&ResultRow::text>("cuGetErrorString", code, out);
}

// --- functions that no real driver has; tests look them up by name and go without when they are missing ---

static int copyText(const std::string &text, char *out, int bytes) {
  if (out && bytes > 0) {
    int n = std::min(static_cast<int>(text.size()), bytes - 1);
    memcpy(out, text.data(), static_cast<size_t>(n));
    out[n] = 0;
  }
  return static_cast<int>(text.size());
}

// Each returns the length of the whole text and writes at most `bytes` of it, NUL included.
LEETEMU_API int leetemu_report(char *out, int bytes) { return copyText(reportText(), out, bytes); }
LEETEMU_API int leetemu_counters(char *out, int bytes) {
  std::lock_guard<std::recursive_mutex> hold(driver().lock);
  return copyText(countersJson(), out, bytes);
}

// counts[n] grows by the warps that executed the instructions of line n of a loaded kernel's PTX, for n < lines.
LEETEMU_API void leetemu_lines(const char *kernel, unsigned long long *counts, int lines) {
  std::lock_guard<std::recursive_mutex> hold(driver().lock);
  std::vector<u64> executed(static_cast<size_t>(std::max(lines, 0)));
  countersByLine(kernel, executed.data(), static_cast<u32>(executed.size()));
  for (size_t n = 0; n < executed.size(); ++n) counts[n] += executed[n];
}

// Forgets reports, counters and the call numbers of fault injection.
LEETEMU_API void leetemu_reset() {
  std::lock_guard<std::recursive_mutex> hold(driver().lock);
  reportClear();
  countersReset();
  driver().calls.clear();
}

// Key and value as in the environment, without the prefix: ("SCHEDULE", "reverse"). 0, or 1 with the reason reported.
LEETEMU_API int leetemu_configure(const char *key, const char *value) {
  std::lock_guard<std::recursive_mutex> hold(driver().lock);
  std::string wrong = configure(key, value);
  if (!wrong.empty()) report("leetemu_configure: " + wrong);
  return wrong.empty() ? 0 : 1;
}
