// Modules, functions and launches.
#include <algorithm>
#include <cstring>

#include "config.h"
#include "counters.h"
#include "decode.h"
#include "device_limits.h"
#include "driver.h"
#include "fatbin.h"
#include "memory.h"
#include "parser.h"
#include "patch.h"
#include "run.h"

namespace leetemu {
namespace {

// The newest PTX version that a driver reads; a driver of CUDA major.minor.
void checkVersions(const ModuleAst &m) {
  struct Row {
    int driver;
    u32 ptx;
  };
  static const Row rows[] = {{11000, 70}, {11010, 71}, {11020, 72}, {11030, 73}, {11040, 74}, {11050, 75}, {11060, 76},
                             {11070, 77}, {11080, 78}, {12000, 80}, {12010, 81}, {12020, 82}, {12030, 83}, {12040, 84},
                             {12050, 85}, {12070, 86}, {12080, 87}, {12090, 88}, {13000, 90}, {13010, 91}, {13020, 92}};
  u32 newest = 65, version = m.versionMajor * 10 + m.versionMinor;
  for (const Row &r : rows)
    if (r.driver <= config().driverVersion) newest = r.ptx;
  require(version <= newest, CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
          format("PTX version %u.%u is too new for driver %d", m.versionMajor, m.versionMinor, config().driverVersion));
  u32 cc = static_cast<u32>(config().ccMajor * 10 + config().ccMinor);
  require(m.target <= cc, CUDA_ERROR_NO_BINARY_FOR_GPU,
          format("PTX for sm_%u on a device of compute capability %u", m.target, cc));
}

void addVariables(CUmodule m) {
  for (const Variable &v : m->ast.variables) {
    if (v.space != Space::global && v.space != Space::constant) continue;
    require(!v.isExtern, CUDA_ERROR_NOT_FOUND, "extern variable " + v.name + " is not defined");
    Allocation &a = deviceMemory().allocate(std::max<u64>(v.bytes, 1), m->context->device, ~0ull);
    a.name = v.name;
    a.readOnly = v.space == Space::constant;
    memset(a.data.get(), 0, v.bytes);
    if (!v.init.empty()) memcpy(a.data.get(), v.init.data(), v.init.size());
    a.markWritten(a.base, a.bytes);
    m->variables[v.name] = a.base;
    if (a.readOnly) m->constants.insert(v.name);
  }
  for (const Variable &v : m->ast.variables)
    for (const Variable::Address &x : v.addresses) {
      auto it = m->variables.find(x.name);
      require(it != m->variables.end(), CUDA_ERROR_INVALID_PTX, "unknown name " + x.name + " in an initialiser");
      u64 value = it->second + static_cast<u64>(x.offset);
      Allocation *a = deviceMemory().find(m->variables.at(v.name));
      memcpy(a->data.get() + x.at, &value, sizeof value);
    }
}

// Decodes a kernel, once.
void decodeFunction(CUfunc_st &f) {
  if (!f.kernel.code.empty()) return;
  CUmodule m = f.module;
  GlobalLookup lookup = [m](const std::string &name, u64 *address, bool *isConstant) {
    auto it = m->variables.find(name);
    if (it == m->variables.end()) return false;
    *address = it->second;
    *isConstant = m->constants.count(name) != 0;
    return true;
  };
  Kernel kernel = decodeKernel(m->ast, *f.ast, lookup);
  require(kernel.sharedBytes <= static_cast<u32>(deviceLimits().sharedPerBlock), CUDA_ERROR_INVALID_PTX,
          format("kernel %s: %u bytes of static shared memory, the limit is %d", kernel.name.c_str(),
                 kernel.sharedBytes, deviceLimits().sharedPerBlock));
  f.kernel = std::move(kernel);
}

void addFunctions(CUmodule m) {
  for (const FunctionAst &f : m->ast.functions) {
    if (!f.isEntry || !f.hasBody) continue;
    auto function = std::make_unique<CUfunc_st>();
    function->module = m;
    function->ast = &f;
    if (!config().lazyLoading) decodeFunction(*function);
    m->functions[f.name] = std::move(function);
  }
}

void checkLaunch(CUfunction f, const unsigned *grid, const unsigned *block, unsigned shared) {
  const DeviceLimits &l = deviceLimits();
  const Kernel &k = f->kernel;
  for (int a = 0; a < 3; ++a) {
    require(grid[a] > 0 && grid[a] <= static_cast<unsigned>(l.gridDim[a]), CUDA_ERROR_INVALID_VALUE,
            format("kernel %s: grid dimension %d is %u, allowed is 1..%d", k.name.c_str(), a, grid[a], l.gridDim[a]));
    require(
        block[a] > 0 && block[a] <= static_cast<unsigned>(l.blockDim[a]), CUDA_ERROR_INVALID_VALUE,
        format("kernel %s: block dimension %d is %u, allowed is 1..%d", k.name.c_str(), a, block[a], l.blockDim[a]));
    if (k.requiredThreads[0])
      require(block[a] == k.requiredThreads[a], CUDA_ERROR_INVALID_VALUE,
              format("kernel %s: .reqntid differs from the block", k.name.c_str()));
  }
  u64 threads = static_cast<u64>(block[0]) * block[1] * block[2];
  u64 most = k.maxThreads[0] ? static_cast<u64>(k.maxThreads[0]) * k.maxThreads[1] * k.maxThreads[2]
                             : static_cast<u64>(l.threadsPerBlock);
  require(threads <= most, CUDA_ERROR_INVALID_VALUE,
          format("kernel %s: %llu threads per block, the limit is %llu", k.name.c_str(),
                 static_cast<unsigned long long>(threads), static_cast<unsigned long long>(most)));
  int limit = f->dynamicSharedLimit >= 0 ? f->dynamicSharedLimit : l.sharedPerBlock - static_cast<int>(k.sharedBytes);
  require(shared <= static_cast<unsigned>(limit), CUDA_ERROR_INVALID_VALUE,
          format("kernel %s: %u bytes of dynamic shared memory, the limit is %d%s", k.name.c_str(), shared, limit,
                 f->dynamicSharedLimit < 0 ? " unless cuFuncSetAttribute raises it" : ""));
}

std::vector<u8> takeParams(const Kernel &k, void **params, void **extra) {
  std::vector<u8> bytes(k.paramBytes + 16);
  if (extra) {
    require(!params, CUDA_ERROR_INVALID_VALUE, "both kernelParams and extra are given");
    const void *buffer = nullptr;
    size_t size = 0;
    for (; *extra != CU_LAUNCH_PARAM_END; extra += 2) {
      if (*extra == CU_LAUNCH_PARAM_BUFFER_POINTER) buffer = extra[1];
      else if (*extra == CU_LAUNCH_PARAM_BUFFER_SIZE) size = *static_cast<size_t *>(extra[1]);
      else throw Fault(CUDA_ERROR_INVALID_VALUE, "unknown entry in extra");
    }
    require(buffer && size >= k.paramBytes && size < k.paramBytes + 16, CUDA_ERROR_INVALID_VALUE,
            format("kernel %s: %zu bytes of parameters, it has %u", k.name.c_str(), size, k.paramBytes));
    memcpy(bytes.data(), buffer, k.paramBytes);
    return bytes;
  }
  require(params || k.params.empty(), CUDA_ERROR_INVALID_VALUE, "no parameters");
  for (size_t i = 0; i < k.params.size(); ++i) {
    require(params[i], CUDA_ERROR_INVALID_VALUE,
            format("kernel %s: parameter %zu is a null pointer", k.name.c_str(), i));
    memcpy(&bytes[k.params[i].at], params[i], k.params[i].bytes);
  }
  return bytes;
}

CUfunction checkFunction(CUfunction f) {
  require(driver().functions.count(f), CUDA_ERROR_INVALID_HANDLE, "no such function");
  require(f->module->context == currentContext(), CUDA_ERROR_INVALID_HANDLE, "a function of another context");
  return f;
}

}  // namespace

void destroyModule(CUmodule m) {
  for (auto &[name, f] : m->functions) {
    countersUntrack(&f->kernel);
    countersAbsorb(f->kernel);
    driver().functions.erase(f.get());
  }
  for (auto &[name, address] : m->variables) deviceMemory().free(address);
  delete m;
}

}  // namespace leetemu

using namespace leetemu;

LEETEMU_API CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  return call("cuModuleLoadData", Needs::context, [&] {
    require(module && image, CUDA_ERROR_INVALID_VALUE, "null pointer");
    u32 capability = static_cast<u32>(config().ccMajor * 10 + config().ccMinor);
    ModuleAst ast = parse(patched(ptxOf(image, capability)));
    checkVersions(ast);
    CUmodule m = new CUmod_st;
    m->context = currentContext();
    m->ast = std::move(ast);
    try {
      addVariables(m);
      addFunctions(m);
    } catch (...) {
      destroyModule(m);
      throw;
    }
    for (auto &[name, f] : m->functions) {
      driver().functions.insert(f.get());
      countersTrack(&f->kernel);
    }
    driver().modules.insert(m);
    *module = m;
  });
}

LEETEMU_API CUresult cuModuleUnload(CUmodule module) {
  return call("cuModuleUnload", Needs::context, [&] {
    require(driver().modules.count(module), CUDA_ERROR_INVALID_HANDLE, "no such module");
    drainContext(currentContext());
    driver().modules.erase(module);
    destroyModule(module);
  });
}

LEETEMU_API CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  return call("cuModuleGetFunction", Needs::context, [&] {
    require(function && name, CUDA_ERROR_INVALID_VALUE, "null pointer");
    require(driver().modules.count(module), CUDA_ERROR_INVALID_HANDLE, "no such module");
    auto it = module->functions.find(name);
    require(it != module->functions.end(), CUDA_ERROR_NOT_FOUND, std::string("no kernel ") + name);
    decodeFunction(*it->second);
    *function = it->second.get();
  });
}

LEETEMU_API CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes, CUmodule module, const char *name) {
  return call("cuModuleGetGlobal_v2", Needs::context, [&] {
    require(name, CUDA_ERROR_INVALID_VALUE, "null pointer");
    require(driver().modules.count(module), CUDA_ERROR_INVALID_HANDLE, "no such module");
    auto it = module->variables.find(name);
    require(it != module->variables.end(), CUDA_ERROR_NOT_FOUND, std::string("no variable ") + name);
    if (address) *address = it->second;
    if (bytes) *bytes = deviceMemory().find(it->second)->bytes;
  });
}

LEETEMU_API CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value) {
  return call("cuFuncSetAttribute", Needs::context, [&] {
    CUfunction f = checkFunction(function);
    if (attribute == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT) return;
    require(attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, CUDA_ERROR_INVALID_VALUE,
            format("function attribute %d cannot be set here", attribute));
    int most = deviceLimits().sharedOptIn - static_cast<int>(f->kernel.sharedBytes);
    require(value >= 0 && value <= most, CUDA_ERROR_INVALID_VALUE,
            format("kernel %s: %d bytes of dynamic shared memory, the device allows %d", f->kernel.name.c_str(), value,
                   most));
    f->dynamicSharedLimit = value;
  });
}

LEETEMU_API CUresult cuFuncGetAttribute(int *value, int attribute, CUfunction function) {
  return call("cuFuncGetAttribute", Needs::context, [&] {
    require(value, CUDA_ERROR_INVALID_VALUE, "null pointer");
    CUfunction f = checkFunction(function);
    const Kernel &k = f->kernel;
    int shared = static_cast<int>(k.sharedBytes), limit = deviceLimits().sharedPerBlock - shared;
    u32 most = k.maxThreads[0] ? k.maxThreads[0] * k.maxThreads[1] * k.maxThreads[2]
                               : static_cast<u32>(deviceLimits().threadsPerBlock);
    switch (attribute) {
      case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
        *value = static_cast<int>(most);
        return;
      case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES:
        *value = shared;
        return;
      case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES:
        *value = 0;
        return;
      case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES:
        *value = static_cast<int>(k.localBytes - LOCAL_BASE);
        return;
      case CU_FUNC_ATTRIBUTE_PTX_VERSION:
        *value = static_cast<int>(k.target);
        return;
      case CU_FUNC_ATTRIBUTE_BINARY_VERSION:
        *value = config().ccMajor * 10 + config().ccMinor;
        return;
      case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
        *value = f->dynamicSharedLimit >= 0 ? f->dynamicSharedLimit : limit;
        return;
      default:
        throw Fault(CUDA_ERROR_INVALID_VALUE,
                    format("function attribute %d is not known without machine code", attribute));
    }
  });
}

LEETEMU_API CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ,
                                    unsigned blockX, unsigned blockY, unsigned blockZ, unsigned sharedBytes,
                                    CUstream stream, void **params, void **extra) {
  return call("cuLaunchKernel", Needs::context, [&] {
    CUfunction f = checkFunction(function);
    CUstream s = streamOf(stream);
    require(s->context == currentContext(), CUDA_ERROR_INVALID_HANDLE, "a stream of another context");
    unsigned grid[3] = {gridX, gridY, gridZ}, block[3] = {blockX, blockY, blockZ};
    checkLaunch(f, grid, block, sharedBytes);
    Launch l;
    l.kernel = &f->kernel;
    l.device = currentContext()->device;
    std::copy(grid, grid + 3, l.grid);
    std::copy(block, block + 3, l.block);
    l.dynamicBytes = sharedBytes;
    l.sharedBytes = f->kernel.sharedBytes + sharedBytes;
    l.id = ++driver().launches;
    l.params = takeParams(f->kernel, params, extra);
    enqueue(s, [l]() mutable { runLaunch(l); });
  });
}
