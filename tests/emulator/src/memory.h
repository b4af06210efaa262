// Device memory: allocations with never-reused addresses, and one bit per byte that says whether it was ever written.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base.h"

namespace leetemu {

struct Allocation {
  u64 base = 0, bytes = 0;
  int device = 0;
  bool readOnly = false;  // a .const variable
  std::string name;       // of a module variable; empty for cuMemAlloc
  std::unique_ptr<u8[]> data;
  std::vector<u8> written;  // bit per byte; empty once everything is written

  u8 *at(u64 address) { return data.get() + (address - base); }
  bool holds(u64 address, u64 size) const { return address >= base && size <= bytes && address - base <= bytes - size; }
  bool allWritten() const { return written.empty(); }
  void markWritten(u64 address, u64 size);
  // The first byte of the range that was never written, or ~0.
  u64 firstUnwritten(u64 address, u64 size) const;

  // For aligned accesses of 1, 2, 4, 8 or 16 bytes.
  void markElement(u64 offset, u32 size) {
    if (size == 16) written[offset >> 3] = written[(offset >> 3) + 1] = 0xff;
    else written[offset >> 3] |= static_cast<u8>(((1u << size) - 1) << (offset & 7));
  }
  bool elementWritten(u64 offset, u32 size) const {
    if (size == 16) return (written[offset >> 3] & written[(offset >> 3) + 1]) == 0xff;
    u32 want = ((1u << size) - 1) << (offset & 7);
    return (written[offset >> 3] & want) == want;
  }
};

class DeviceMemory {
 public:
  // Throws Fault(CUDA_ERROR_OUT_OF_MEMORY) beyond `limit` bytes on that device.
  Allocation &allocate(u64 bytes, int device, u64 limit);
  void free(u64 base);
  void freeAll(int device);
  // The allocation that holds the address, or null.
  Allocation *find(u64 address);
  // "12 bytes past the end of the allocation ...", for messages.
  std::string describe(u64 address) const;
  u64 used(int device) const;
  // Allocations made by cuMemAlloc that are still there.
  u64 liveCount(int device, u64 *bytes) const;

 private:
  struct Freed {
    u64 base, bytes;
  };
  std::map<u64, std::unique_ptr<Allocation>> live_;  // by base
  std::map<u64, Freed> freed_;
  std::map<int, u64> used_;
  u64 next_ = 0x200000000000ull;
  Allocation *last_ = nullptr;
};

DeviceMemory &deviceMemory();

}  // namespace leetemu
