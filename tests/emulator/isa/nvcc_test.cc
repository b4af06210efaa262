// Kernels written in CUDA C++ (kernels.cu), compiled by nvcc while the tests run and compared with the same sums on the
// host. Without nvcc these tests say so and count as passed only for the empty set.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "kernel.h"

using namespace isa;

namespace {

std::string readFile(const std::string &path) {
  std::ifstream f(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(f), std::istreambuf_iterator<char>()};
}

// Empty when there is no nvcc.
std::string compile(const char *kind, const char *name) {
  if (system("nvcc --version > /dev/null 2>&1")) {
    static bool told = false;
    if (!told) printf("no nvcc: the compiled kernels are not tested\n");
    told = true;
    return "";
  }
  std::string out = std::string(ISA_OUT) + "/" + name;
  std::string command = std::string("nvcc ") + kind + " -o " + out + " " + ISA_FOLDER + "/kernels.cu";
  return system(command.c_str()) ? "nvcc failed" : readFile(out);
}

// Machine code of the GPU, since its driver may be older than nvcc and not read its PTX.
std::string machine() { return "sm_" + std::to_string(capability()); }

const Module *compiled() {
  static std::string image = driver().emulated() ? compile("-ptx -arch=compute_80", "kernels.ptx")
                                                 : compile(("-cubin -arch=" + machine()).c_str(), "kernels.cubin");
  static Module *m = nullptr;
  if (image.empty()) return nullptr;
  if (!m) m = new Module(image);
  EXPECT(m->status == 0, reportText());
  return m;
}

std::vector<float> randomFloats(size_t n, uint32_t seed) {
  std::vector<float> v(n);
  for (float &x : v) seed = seed * 1664525 + 1013904223, x = static_cast<float>(seed >> 8) / 8388608.0f - 1.0f;
  return v;
}

double worst(const std::vector<float> &got, const std::vector<double> &want) {
  if (got.size() != want.size()) return INFINITY;
  double scale = 0, error = 0;
  for (size_t k = 0; k < want.size(); ++k) {
    scale = std::max(scale, std::fabs(want[k]));
    double e = std::fabs(static_cast<double>(got[k]) - want[k]);
    if (!(e <= error)) error = e;
  }
  return error / scale;
}

template <class F>
void underEachSchedule(F f) {
  for (const char *schedule : {"forward", "reverse", "random:3"}) {
    if (driver().configure) driver().configure("SCHEDULE", schedule);
    f();
  }
  if (driver().configure) driver().configure("SCHEDULE", "forward");
}

float roundBf16(float x) { return wordFloat((floatWord(x) + 0x7fff + (floatWord(x) >> 16 & 1)) & 0xffff0000u); }

}  // namespace

ISA_TEST("nvcc", functions_local_arrays_and_switches) {
  const Module *m = compiled();
  if (!m) return;
  int n = 200;
  std::vector<float> x = randomFloats(200, 1);
  for (float &v : x) v *= 300000;
  std::vector<double> want(200);
  for (size_t k = 0; k < 200; ++k) {
    double y = std::sin(static_cast<double>(x[k]));
    switch (k % 7) {
      case 0:
        y += 1;
        break;
      case 1:
        y *= 2;
        break;
      case 2:
        y -= 3;
        break;
      case 3:
        y = std::fabs(y);
        break;
      case 4:
        y = -y;
        break;
      case 5:
        y = y * y;
        break;
      default:
        y /= 4;
    }
    want[k] = y;
  }
  underEachSchedule([&] {
    Buffer<float> in(x), out(200);
    EXPECT(launch(m->function("mixed"), {2, 128, 0}, {&in.address, &out.address, &n}) == 0, reportText());
    EXPECT(worst(out.get(), want) <= 1e-6, std::to_string(worst(out.get(), want)));
  });
}

ISA_TEST("nvcc", tiled_product_f32) {
  const Module *m = compiled();
  if (!m) return;
  int n = 50;
  size_t size = 2500;
  std::vector<float> a = randomFloats(size, 1), b = randomFloats(size, 2);
  std::vector<double> want(size);
  for (size_t i = 0; i < 50; ++i)
    for (size_t j = 0; j < 50; ++j)
      for (size_t k = 0; k < 50; ++k) want[i * 50 + j] += static_cast<double>(a[i * 50 + k]) * b[k * 50 + j];
  underEachSchedule([&] {
    Buffer<float> da(a), db(b), dc(size);
    void *params[] = {&da.address, &db.address, &dc.address, &n};
    int e = driver().cuLaunchKernel(m->function("product"), 4, 4, 1, 16, 16, 1, 0, nullptr, params, nullptr);
    EXPECT(e == 0 && driver().cuCtxSynchronize() == 0, reportText());
    EXPECT(worst(dc.get(), want) <= 1e-6, std::to_string(worst(dc.get(), want)));
  });
}

ISA_TEST("nvcc", warp_reductions_atomics_and_half_types) {
  const Module *m = compiled();
  if (!m) return;
  int n = 1000;
  std::vector<float> x = randomFloats(1000, 5);
  double sum = 0, most = 0;
  for (float v : x) sum += roundBf16(v), most = std::max(most, static_cast<double>(std::fabs(v)));
  underEachSchedule([&] {
    Buffer<float> in(x), out(std::vector<float>(2, 0.0f));
    EXPECT(launch(m->function("reduce"), {4, 128, 0}, {&in.address, &out.address, &n}) == 0, reportText());
    std::vector<float> r = out.get();
    EXPECT(r.size() == 2 && std::fabs(r[0] - sum) <= 1e-4 && r[1] == static_cast<float>(most),
           r.size() == 2 ? std::to_string(r[0]) : "");
  });
}

// C [64][64] = A [64][K] B [K][64] in bf16 through cp.async, ldmatrix and mma, double buffered.
ISA_TEST("nvcc", tensor_core_product) {
  const Module *m = compiled();
  if (!m) return;
  const size_t K = 160;
  int k = static_cast<int>(K);
  std::vector<float> a = randomFloats(64 * K, 3), b = randomFloats(K * 64, 4);
  std::vector<uint16_t> ah(a.size()), bh(b.size());
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = roundBf16(a[i]), b[i] = roundBf16(b[i]), ah[i] = static_cast<uint16_t>(floatWord(a[i]) >> 16),
    bh[i] = static_cast<uint16_t>(floatWord(b[i]) >> 16);
  std::vector<double> want(64 * 64);
  for (size_t i = 0; i < 64; ++i)
    for (size_t j = 0; j < 64; ++j)
      for (size_t t = 0; t < K; ++t) want[i * 64 + j] += static_cast<double>(a[i * K + t]) * b[t * 64 + j];
  underEachSchedule([&] {
    Buffer<uint16_t> da(ah), db(bh);
    Buffer<float> dc(64 * 64);
    if (driver().reset) driver().reset();
    EXPECT(launch(m->function("tensorProduct"), {1, 128, 0}, {&da.address, &db.address, &dc.address, &k}) == 0,
           reportText());
    EXPECT(worst(dc.get(), want) <= 1e-6, std::to_string(worst(dc.get(), want)));
    // 4 warps, K / 16 steps, 8 column blocks each.
    if (driver().emulated())
      EXPECT(countersText().find("\"mma.m16n8k16.f32.bf16.bf16.f32\": " + std::to_string(4 * K / 16 * 8)) !=
                 std::string::npos,
             countersText());
  });
}

ISA_TEST("nvcc", fatbin_with_plain_and_compressed_ptx) {
  std::string target = driver().emulated() ? "-gencode arch=compute_80,code=[sm_80,compute_80]" : "-arch=" + machine();
  std::string plain = compile(("-fatbin " + target + " --no-compress").c_str(), "plain.fatbin");
  if (plain.empty()) return;
  Module m(plain);
  EXPECT(m.status == 0 && m.function("mixed"), reportText());
  if (!driver().emulated()) return;
  Module packed(compile("-fatbin -gencode arch=compute_80,code=compute_80", "packed.fatbin"));
  EXPECT(packed.status == 209 && reportText().find("compressed") != std::string::npos, reportText());
}
