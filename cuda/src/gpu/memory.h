/* Device memory: blocks that calls borrow and that outlive them, and what the caller allocates by name. */
#ifndef LEET_GPU_MEMORY_H
#define LEET_GPU_MEMORY_H

#include "device.h"

namespace leet {

struct DeviceMemory;

namespace gpu {

/* The slots of the seam for it. */
extern const DeviceMemory device_memory;

/* A block of device memory for its lifetime, handed to the next call afterwards. Only calls of the same stream get it
 * then, so work that is still queued stays ahead of what overwrites it. */
class Block {
 public:
  Block() : record_(nullptr) {}
  ~Block();
  Block(const Block &) = delete;
  Block &operator=(const Block &) = delete;
  /* At least `bytes` for work on `stream`; 0 bytes is no memory and address 0. `what` is for the message. */
  leet_status take(leet_params *p, Device *device, CUstream stream, uint64_t bytes, const char *what);
  CUdeviceptr address() const;

 private:
  struct Record *record_;
};

/* Bytes of blocks that no call holds, all devices together, and giving them back. */
uint64_t blocks_kept();
void blocks_release_kept();

/* Memory of the caller; every byte is counted until it is freed. */
leet_status allocate_named(leet_params *p, Device *device, uint64_t bytes, CUdeviceptr *address);
leet_status free_named(leet_params *p, Device *device, CUdeviceptr address);
uint64_t named_bytes(int index);

}  // namespace gpu
}  // namespace leet
#endif
