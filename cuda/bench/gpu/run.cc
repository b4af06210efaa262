#include "run.h"

#include <math.h>
#include <string.h>

#include <algorithm>

#include "kernels.h"

namespace gpu_check {

namespace {

const unsigned kThreads = 256;
const unsigned char kPoison = 0xff;

int64_t size_of(int dtype) { return dtype == LEET_F32 ? 4 : 2; }

float half_to_float(uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  const float magnitude = exponent == 31 ? (fraction ? NAN : INFINITY)
                          : exponent     ? ldexpf((float)(1024 + fraction), exponent - 25)
                                         : ldexpf((float)fraction, -24);
  return half & 0x8000 ? -magnitude : magnitude;
}

/* The value of every float16. */
const std::vector<float> &half_table() {
  static const std::vector<float> table = [] {
    std::vector<float> values(65536);
    for (size_t i = 0; i < values.size(); i++) values[i] = half_to_float((uint16_t)i);
    return values;
  }();
  return table;
}

std::vector<float> decays_of(const Case &c) {
  std::vector<float> decays((size_t)c.H);
  for (int64_t h = 0; h < c.H; h++) {
    const double share = c.H > 1 ? (double)h / (double)(c.H - 1) : 0;
    decays[(size_t)h] =
        (float)(c.decays == kRetnet ? 1 - exp2(-5 - 7 * share) : exp(-exp2(-8.0 * (double)(h + 1) / (double)c.H)));
  }
  return decays;
}

/* ||a - b|| / ||b|| */
double distance(const std::vector<float> &a, const std::vector<float> &b) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < b.size(); i++) {
    error += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    norm += (double)b[i] * (double)b[i];
  }
  const double share = norm > 0 ? sqrt(error / norm) : error > 0 ? INFINITY : 0;
  return share == share ? share : INFINITY;
}

}  // namespace

Helpers::Helpers(const Gpu &gpu) {
  const std::string ptx = memory_ptx();
  read = gpu.kernel(ptx, "read");
  fill = gpu.kernel(ptx, "fill");
  digest = gpu.kernel(ptx, "digest");
}

leet_params params_of(const Case &c) {
  leet_params p = {};
  p.struct_size = sizeof p;
  p.method = c.method;
  p.device = LEET_DEVICE_CUDA;
  p.dtype = c.dtype;
  p.decay_form = c.decays == kGates ? LEET_DECAY_LOG_GATES : LEET_DECAY_FACTOR;
  p.scale = 1 / sqrt((double)c.d);
  p.B = c.B;
  p.H = p.Hkv = c.H;
  p.N = c.N;
  p.dk = p.dv = c.d;
  return p;
}

double Run::least_bytes(const Case &c) {
  const double arrays = 4.0 * (double)(c.B * c.H * c.N * c.d * size_of(c.dtype));
  const double states = (double)(c.B * c.H * c.d * c.d) * 4 * (c.kind == kDecode ? 2 : 1);
  const double decays = 4.0 * (double)(c.H * (c.decays == kGates ? c.B * c.N : 1));
  return arrays + states + decays;
}

Run::Run(const Gpu &gpu, const Helpers &helpers, const Case &c)
    : params(params_of(c)),
      gpu_(gpu),
      helpers_(helpers),
      case_(c),
      elements_(c.B * c.H * c.N * c.d),
      states_(c.B * c.H * c.d * c.d),
      q_(0),
      k_(0),
      v_(0),
      o_(0),
      decay_(0),
      state_(0),
      sums_(0) {
  if (c.kind == kHost) return;
  params.flags = LEET_FLAG_DEVICE_POINTERS;
  params.stream = (uint64_t)(uintptr_t)gpu.stream;
}

Run::~Run() {
  for (const uint64_t address : {q_, k_, v_, o_, decay_, state_, sums_}) gpu_.release(address);
}

void Run::fill(uint64_t to, int64_t count, int dtype, uint32_t seed, float low, float high) const {
  uint64_t elements = (uint64_t)count;
  uint32_t type = (uint32_t)dtype;
  float range = high - low;
  const int64_t blocks = std::min<int64_t>((count + kThreads - 1) / kThreads, (int64_t)gpu_.multiprocessors * 16);
  gpu_.launch(helpers_.fill, (unsigned)std::max<int64_t>(blocks, 1), kThreads,
              {&to, &elements, &type, &seed, &low, &range});
}

bool Run::prepare() {
  const size_t bytes = (size_t)(elements_ * size_of(case_.dtype));
  const int64_t gates = case_.decays == kGates ? case_.B * case_.H * case_.N : case_.H;
  const struct {
    uint64_t *address;
    size_t bytes;
  } arrays[] = {{&q_, bytes},
                {&k_, bytes},
                {&v_, bytes},
                {&o_, bytes},
                {&decay_, (size_t)gates * 4},
                {&state_, (size_t)states_ * 4},
                {&sums_, 16}};
  for (const auto &array : arrays) {
    *array.address = gpu_.allocate(array.bytes);
    if (*array.address == 0) return false;
  }
  fill(q_, elements_, case_.dtype, 1, -1, 1);
  fill(k_, elements_, case_.dtype, 2, -1, 1);
  fill(v_, elements_, case_.dtype, 3, -1, 1);
  if (case_.decays == kGates) {
    fill(decay_, gates, LEET_F32, 4, -0.1f, 0);
  } else {
    host_decay_ = decays_of(case_);
    gpu_.upload(decay_, host_decay_.data(), host_decay_.size() * 4);
  }
  gpu_.wait();
  if (case_.kind == kHost) {
    host_state_.resize((size_t)states_);
    const uint64_t sources[] = {q_, k_, v_};
    for (int i = 0; i < 4; i++) host_[i].resize(bytes);
    for (int i = 0; i < 3; i++) gpu_.download(host_[i].data(), sources[i], bytes);
  }
  return true;
}

void Run::poison() {
  if (case_.kind == kHost) {
    memset(host_[3].data(), kPoison, host_[3].size());
    return;
  }
  const size_t bytes = (size_t)(elements_ * size_of(case_.dtype));
  gpu_.check(gpu_.driver.cuMemsetD8Async(o_, kPoison, bytes, gpu_.stream), "cuMemsetD8Async");
  if (case_.kind == kDecode) {
    fill(state_, states_, LEET_F32, 5, -1, 1);
  } else {
    gpu_.check(gpu_.driver.cuMemsetD8Async(state_, kPoison, (size_t)states_ * 4, gpu_.stream), "cuMemsetD8Async");
  }
}

leet_status Run::call() {
  if (case_.kind == kHost) {
    return leet_forward(&params, host_[0].data(), host_[1].data(), host_[2].data(), host_decay_.data(), nullptr,
                        nullptr, host_[3].data(), host_state_.data());
  }
  const auto at = [](uint64_t address) { return (void *)(uintptr_t)address; };
  return leet_forward(&params, at(q_), at(k_), at(v_), (const float *)at(decay_), nullptr,
                      case_.kind == kDecode ? (const float *)at(state_) : nullptr, at(o_), (float *)at(state_));
}

Digest Run::digest() const {
  if (case_.kind == kHost) {
    Digest found = {0, 0};
    const size_t size = (size_t)size_of(case_.dtype);
    for (size_t i = 0; i < host_[3].size(); i += size) {
      uint32_t bits = 0;
      memcpy(&bits, host_[3].data() + i, size);
      found.sum = found.sum * 0x9e3779b97f4a7c15ull + bits;
      found.untouched += bits == (size == 4 ? 0xffffffffu : 0xffffu);
    }
    return found;
  }
  Digest found = {0, 0};
  gpu_.check(gpu_.driver.cuMemsetD8Async(sums_, 0, 16, gpu_.stream), "cuMemsetD8Async");
  const struct {
    uint64_t address, words;
    uint32_t narrow;
  } arrays[] = {{o_, (uint64_t)(elements_ * size_of(case_.dtype) / 4), case_.dtype != LEET_F32},
                {state_, (uint64_t)states_, 0}};
  for (auto array : arrays) {
    uint64_t to = sums_;
    const uint64_t blocks = std::min<uint64_t>((array.words + kThreads - 1) / kThreads, gpu_.multiprocessors * 8u);
    gpu_.launch(helpers_.digest, (unsigned)blocks, kThreads, {&array.address, &array.words, &to, &array.narrow});
  }
  gpu_.download(&found, sums_, sizeof found);
  return found;
}

/* Elements first .. first + count - 1 of an array of the case's type, on the device or, where given, on the host. */
std::vector<float> Run::to_floats(uint64_t array, const void *host, int64_t first, int64_t count) const {
  const size_t bytes = (size_t)size_of(case_.dtype);
  std::vector<char> raw((size_t)count * bytes);
  if (host != nullptr) {
    memcpy(raw.data(), (const char *)host + (size_t)first * bytes, raw.size());
  } else {
    gpu_.download(raw.data(), array + (uint64_t)first * bytes, raw.size());
  }
  std::vector<float> values((size_t)count);
  for (size_t i = 0; i < values.size(); i++) {
    uint32_t bits = 0;
    memcpy(&bits, raw.data() + i * bytes, bytes);
    if (case_.dtype == LEET_F16) {
      values[i] = half_table()[bits];
      continue;
    }
    if (case_.dtype == LEET_BF16) bits <<= 16;
    memcpy(&values[i], &bits, 4);
  }
  return values;
}

Verdict Run::verify(int64_t head) const {
  const int64_t size = case_.N * case_.d, state_size = case_.d * case_.d;
  const std::vector<float> q = to_floats(q_, nullptr, head * size, size), k = to_floats(k_, nullptr, head * size, size),
                           v = to_floats(v_, nullptr, head * size, size),
                           o = to_floats(o_, case_.kind == kHost ? host_[3].data() : nullptr, head * size, size);
  const bool gated = case_.decays == kGates;
  std::vector<float> decay((size_t)(gated ? case_.N : 1)), state((size_t)state_size), initial((size_t)state_size),
      right((size_t)size), right_state((size_t)state_size);
  gpu_.download(decay.data(), decay_ + (uint64_t)(gated ? head * case_.N : head % case_.H) * 4, decay.size() * 4);
  if (case_.kind == kHost) {
    std::copy_n(host_state_.begin() + head * state_size, state_size, state.begin());
  } else {
    gpu_.download(state.data(), state_ + (uint64_t)(head * state_size) * 4, state.size() * 4);
  }
  if (case_.kind == kDecode) { /* what poison() filled in */
    const uint64_t all = gpu_.allocate((size_t)states_ * 4);
    if (all == 0) return {INFINITY, INFINITY};
    fill(all, states_, LEET_F32, 5, -1, 1);
    gpu_.download(initial.data(), all + (uint64_t)(head * state_size) * 4, initial.size() * 4);
    gpu_.release(all);
  }
  leet_params p = params;
  p.method = LEET_METHOD_AUTO;
  p.device = LEET_DEVICE_CPU;
  p.dtype = LEET_F32;
  p.flags = 0;
  p.stream = 0;
  p.B = p.H = p.Hkv = 1;
  if (leet_forward(&p, q.data(), k.data(), v.data(), decay.data(), nullptr,
                   case_.kind == kDecode ? initial.data() : nullptr, right.data(), right_state.data()) != LEET_OK) {
    return {INFINITY, INFINITY};
  }
  /* The CPU's own float32 result may be off by as much as a right one may. */
  const double longer = case_.N > 4096 ? sqrt((double)case_.N / 4096) : 1, float32 = 2 * 2e-6 * longer;
  const double allowed[] = {float32, 1e-3, 6e-3};
  const bool rounded = case_.method == LEET_METHOD_FLASH && case_.dtype != LEET_F32 && case_.N > 1;
  return {distance(o, right) / allowed[case_.dtype],
          distance(state, right_state) / (rounded ? 5e-4 * longer : float32)};
}

}  // namespace gpu_check
