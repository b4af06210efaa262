#include "memory.h"

#include "cuda_abi.h"
#include "fault.h"

namespace leetemu {
namespace {
// The driver promises 256 bytes of alignment; every address here has exactly that, so that code which assumes more
// shows.
constexpr u64 ALIGNMENT = 256;
constexpr u64 GUARD = 1 << 16;
}  // namespace

void Allocation::markWritten(u64 address, u64 size) {
  if (allWritten() || size == 0) return;
  u64 from = address - base, to = from + size;
  if (from == 0 && to == bytes) return written.clear(), written.shrink_to_fit();
  for (; from < to && (from & 7); ++from) written[from >> 3] |= static_cast<u8>(1u << (from & 7));
  if (from < to) memset(&written[from >> 3], 0xff, (to - from) >> 3);
  for (from += (to - from) & ~7ull; from < to; ++from) written[from >> 3] |= static_cast<u8>(1u << (from & 7));
}

u64 Allocation::firstUnwritten(u64 address, u64 size) const {
  if (allWritten()) return ~0ull;
  for (u64 k = address - base; k < address - base + size; ++k)
    if (!(written[k >> 3] >> (k & 7) & 1)) return base + k;
  return ~0ull;
}

Allocation &DeviceMemory::allocate(u64 bytes, int device, u64 limit) {
  if (bytes > limit || used_[device] > limit - bytes)
    throw Fault(
        CUDA_ERROR_OUT_OF_MEMORY,
        format("device %d: %llu bytes wanted, %llu of %llu in use", device, static_cast<unsigned long long>(bytes),
               static_cast<unsigned long long>(used_[device]), static_cast<unsigned long long>(limit)));
  auto a = std::make_unique<Allocation>();
  a->base = roundUp(next_, 2 * ALIGNMENT) + ALIGNMENT;
  a->bytes = bytes;
  a->device = device;
  a->data.reset(new u8[bytes + 16]);
  memset(a->data.get(), 0xff, bytes);
  a->written.assign(bytes / 8 + 3, 0);
  next_ = a->base + bytes + GUARD;
  used_[device] += bytes;
  Allocation &ref = *a;
  live_[ref.base] = std::move(a);
  return ref;
}

void DeviceMemory::free(u64 base) {
  auto it = live_.find(base);
  if (it == live_.end()) throw Fault(CUDA_ERROR_INVALID_VALUE, "free of " + describe(base));
  used_[it->second->device] -= it->second->bytes;
  freed_[base] = {base, it->second->bytes};
  if (last_ == it->second.get()) last_ = nullptr;
  live_.erase(it);
}

void DeviceMemory::freeAll(int device) {
  std::vector<u64> bases;
  for (auto &[base, a] : live_)
    if (a->device == device) bases.push_back(base);
  for (u64 base : bases) free(base);
}

Allocation *DeviceMemory::find(u64 address) {
  if (last_ && last_->holds(address, 1)) return last_;
  auto it = live_.upper_bound(address);
  if (it == live_.begin()) return nullptr;
  Allocation *a = std::prev(it)->second.get();
  if (!a->holds(address, 1)) return nullptr;
  return last_ = a;
}

std::string DeviceMemory::describe(u64 address) const {
  auto hex = [](u64 x) { return format("0x%llx", static_cast<unsigned long long>(x)); };
  auto number = [](u64 x) { return std::to_string(x); };
  if (address < (1 << 16)) return "null pointer " + hex(address);
  auto dead = freed_.upper_bound(address);
  if (dead != freed_.begin()) {
    const Freed &f = std::prev(dead)->second;
    if (address - f.base < f.bytes)
      return hex(address) + ", byte " + number(address - f.base) + " of a freed allocation of " + number(f.bytes);
  }
  auto it = live_.upper_bound(address);
  const Allocation *before = it == live_.begin() ? nullptr : std::prev(it)->second.get();
  const Allocation *after = it == live_.end() ? nullptr : it->second.get();
  auto called = [&](const Allocation &a) {
    return (a.name.empty() ? "the allocation" : "variable " + a.name) + " of " + number(a.bytes) + " bytes at " +
           hex(a.base);
  };
  if (before && address - before->base < before->bytes)
    return hex(address) + ", byte " + number(address - before->base) + " of " + called(*before);
  if (before && address - before->base - before->bytes < GUARD)
    return hex(address) + ", " + number(address - before->base - before->bytes) + " bytes past the end of " +
           called(*before);
  if (after && after->base - address < GUARD)
    return hex(address) + ", " + number(after->base - address) + " bytes before " + called(*after);
  return hex(address) + ", which no allocation holds";
}

u64 DeviceMemory::used(int device) const {
  auto it = used_.find(device);
  return it == used_.end() ? 0 : it->second;
}

u64 DeviceMemory::liveCount(int device, u64 *bytes) const {
  u64 count = 0;
  *bytes = 0;
  for (auto &[base, a] : live_)
    if (a->device == device && a->name.empty()) ++count, *bytes += a->bytes;
  return count;
}

DeviceMemory &deviceMemory() {
  static DeviceMemory memory;
  return memory;
}

}  // namespace leetemu
