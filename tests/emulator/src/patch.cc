#include "patch.h"

#include "config.h"
#include "cuda_abi.h"
#include "driver.h"

namespace leetemu {

std::string patched(std::string ptx) {
  const Patch &p = config().patch;
  if (p.line == 0 || ptx.find(".entry " + p.kernel + "(") == std::string::npos) return ptx;
  size_t from = 0;
  for (u64 n = 1; n < p.line && from != std::string::npos; ++n) {
    from = ptx.find('\n', from);
    if (from != std::string::npos) ++from;
  }
  require(from != std::string::npos, CUDA_ERROR_INVALID_PTX,
          format("PATCH: there is no line %u", static_cast<u32>(p.line)));
  return ptx.replace(from, std::min(ptx.find('\n', from), ptx.size()) - from, p.text);
}

}  // namespace leetemu
