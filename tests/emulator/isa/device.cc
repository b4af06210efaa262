#include "device.h"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace isa {
namespace {

void *context = nullptr;

Driver open() {
  const char *path = getenv("LEET_CUDA_DRIVER");
  void *lib = dlopen(path ? path : "libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!lib) {
    fprintf(stderr, "%s\n", dlerror());
    exit(2);
  }
  Driver d;
  bool complete = true;
  auto find = [&](const char *name, auto &entry, bool needed) {
    entry = reinterpret_cast<std::remove_reference_t<decltype(entry)>>(dlsym(lib, name));
    if (!entry && needed) fprintf(stderr, "the driver has no %s\n", name), complete = false;
  };
#define ENTRY(name, ...) find(#name, d.name, true);
#include "entries.def"
#undef ENTRY
  find("leetemu_report", d.report, false);
  find("leetemu_counters", d.counters, false);
  find("leetemu_reset", d.reset, false);
  find("leetemu_configure", d.configure, false);
  if (!complete) exit(2);
  return d;
}

std::string text(int (*read)(char *, int)) {
  if (!read) return "";
  std::string s(static_cast<size_t>(read(nullptr, 0)) + 1, '\0');
  read(s.data(), static_cast<int>(s.size()));
  s.pop_back();
  return s;
}

}  // namespace

Driver &driver() {
  static Driver d = [] {
    Driver x = open();
    if (int e = x.cuInit(0) || x.cuDevicePrimaryCtxRetain(&context, 0) || x.cuCtxSetCurrent(context)) {
      fprintf(stderr, "no usable device: error %d\n", e);
      exit(2);
    }
    return x;
  }();
  return d;
}

std::string reportText() { return text(driver().report); }
std::string countersText() { return text(driver().counters); }

void renewContext() {
  driver().cuDevicePrimaryCtxRelease_v2(0);
  driver().cuDevicePrimaryCtxRetain(&context, 0);
  driver().cuCtxSetCurrent(context);
}

int capability() {
  int major = 0, minor = 0;
  driver().cuDeviceGetAttribute(&major, 75, 0), driver().cuDeviceGetAttribute(&minor, 76, 0);
  return 10 * major + minor;
}

bool lacksForms() { return !driver().emulated() && capability() < 90; }

Module::Module(const std::string &image) {
  status = driver().cuModuleLoadData(&module_, image.c_str());
  const std::string header = ptxHeader();
  if (driver().emulated() || image.compare(0, header.size(), header)) return;
  // A compiler wants a newer version or target for some forms, which the emulator does not ask for.
  for (const char *newer : {".version 7.8\n.target sm_80\n", ".version 7.8\n.target sm_90\n"})
    if (status)
      status = driver().cuModuleLoadData(&module_, (newer + image.substr(image.find(".address_size"))).c_str());
}

Module::~Module() {
  if (module_) driver().cuModuleUnload(module_);
}

void *Module::function(const char *name) const {
  void *f = nullptr;
  if (module_) driver().cuModuleGetFunction(&f, module_, name);
  return f;
}

int launch(void *function, Shape s, std::vector<void *> params) {
  int e = driver().cuLaunchKernel(function, s.grid, 1, 1, s.block, 1, 1, s.shared, nullptr, params.data(), nullptr);
  return e ? e : driver().cuCtxSynchronize();
}

std::string ptxHeader() { return ".version 7.0\n.target sm_80\n.address_size 64\n"; }

}  // namespace isa
