// A driver opened by path, and the few calls that the tests need. Nothing here knows which driver it is: with
// LEET_CUDA_DRIVER=libcuda.so.1 the same cases run on a GPU.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace isa {

struct Driver {
#define ENTRY(name, ...) int (*name)(__VA_ARGS__) = nullptr;
#include "entries.def"
#undef ENTRY
  // Of the emulator only; null on a real driver.
  int (*report)(char *, int) = nullptr;
  int (*counters)(char *, int) = nullptr;
  void (*reset)() = nullptr;
  int (*configure)(const char *, const char *) = nullptr;

  bool emulated() const { return report != nullptr; }
};

// Opens the driver and makes the primary context of device 0 current; exits the program when that fails.
Driver &driver();
std::string reportText();
std::string countersText();

// Compute capability of device 0, 90 for 9.0.
int capability();

// True on a GPU before sm_90, whose driver refuses forms that the emulator knows on every device.
bool lacksForms();

// A context that a failed kernel has poisoned is replaced by a fresh one.
void renewContext();

class Module {
 public:
  explicit Module(const std::string &image);  // PTX, or what nvcc makes of it
  ~Module();
  Module(const Module &) = delete;
  int status = 0;  // of the load
  void *function(const char *name) const;

 private:
  void *module_ = nullptr;
};

template <class T>
class Buffer {
 public:
  explicit Buffer(size_t n) : n_(n) { driver().cuMemAlloc_v2(&address, n * sizeof(T)); }
  explicit Buffer(const std::vector<T> &v) : Buffer(v.size()) {
    driver().cuMemcpyHtoD_v2(address, v.data(), n_ * sizeof(T));
  }
  ~Buffer() { driver().cuMemFree_v2(address); }
  Buffer(const Buffer &) = delete;
  int read(std::vector<T> &out) const {
    out.resize(n_);
    return driver().cuMemcpyDtoH_v2(out.data(), address, n_ * sizeof(T));
  }
  std::vector<T> get() const {
    std::vector<T> v;
    if (read(v)) v.clear();
    return v;
  }
  unsigned long long address = 0;

 private:
  size_t n_;
};

struct Shape {
  unsigned grid = 1, block = 32, shared = 0;
};

// Launches and waits. The status of the launch, or of the wait.
int launch(void *function, Shape shape, std::vector<void *> params);

// The tests of one file register themselves with this and fail through it.
struct Test {
  Test(const char *group, const char *name, void (*run)());
};
void failed(const char *file, int line, const std::string &what);

#define ISA_TEST(group, name)                                        \
  static void test_##name();                                         \
  static const isa::Test register_##name(group, #name, test_##name); \
  static void test_##name()

#define EXPECT(condition, what)                                                                 \
  do {                                                                                          \
    if (!(condition)) isa::failed(__FILE__, __LINE__, std::string(#condition) + ": " + (what)); \
  } while (0)

// Header of every PTX text of the tests.
std::string ptxHeader();

}  // namespace isa
