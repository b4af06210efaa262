#include "memory.h"

#include <pthread.h>

#include "../alloc.h"
#include "../check.h"

namespace leet {
namespace gpu {

struct Record {
  Record *next;
  Device *device;
  uintptr_t stream; /* whose work may use it next: see stream_key */
  CUdeviceptr address;
  uint64_t bytes;
};

namespace {

const CUresult kOutOfMemory = 2; /* CUDA_ERROR_OUT_OF_MEMORY */
const uint64_t kLargestRounded = 1ull << 40;

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards the lists */
Record *kept;                                      /* blocks that no call holds */
Record *named;                                     /* what allocate_named gave and free_named has not yet taken back */

/* The per-thread default stream is one handle for as many streams as there are threads. */
uintptr_t stream_key(CUstream stream) {
  return (uintptr_t)stream == kStreamPerThread ? (uintptr_t)pthread_self() : (uintptr_t)stream;
}

/* The smallest kept block of at least `bytes` for that stream; without one, the largest smaller one goes to *outgrown,
 * so that growing shapes do not pile up blocks nobody can use. With nullptr it stays. */
Record *take_kept(const Device *device, uintptr_t stream, uint64_t bytes, Record **outgrown) {
  Record **best = nullptr, **small = nullptr;
  for (Record **link = &kept; *link; link = &(*link)->next) {
    const Record *r = *link;
    if (r->device != device || r->stream != stream) continue;
    if (r->bytes >= bytes) {
      if (best == nullptr || r->bytes < (*best)->bytes) best = link;
    } else if (small == nullptr || r->bytes > (*small)->bytes) {
      small = link;
    }
  }
  Record **link = best ? best : small;
  if (link == nullptr || (best == nullptr && outgrown == nullptr)) return nullptr;
  Record *found = *link;
  *link = found->next;
  if (best) return found;
  *outgrown = found;
  return nullptr;
}

void push(Record **list, Record *record) {
  pthread_mutex_lock(&mutex);
  record->next = *list;
  *list = record;
  pthread_mutex_unlock(&mutex);
}

/* Frees the memory and the record, or puts the record (back) on `list` if the driver would not. The driver waits for
 * queued work before it frees. */
leet_status free_record(leet_params *p, Record *record, Record **list) {
  const Driver &driver = *record->device->driver;
  const Current current(*record->device);
  leet_status status = current.status(p);
  if (status == LEET_OK) {
    const CUresult code = driver.cuMemFree_v2(record->address);
    if (code != 0) status = driver_failed(p, driver, code, "cuMemFree_v2", "freeing device memory");
  }
  if (status == LEET_OK) {
    release(record);
  } else {
    push(list, record);
  }
  return status;
}

/* Device memory with its record; one more try after giving back what no call holds. */
leet_status new_record(leet_params *p, Device *device, uintptr_t stream, uint64_t bytes, const char *what,
                       Record **out) {
  const Driver &driver = *device->driver;
  Record *record = (Record *)allocate(sizeof(Record));
  if (record == nullptr) return refuse(p, LEET_OUT_OF_MEMORY, "no memory for the record of a device block");
  *record = {nullptr, device, stream, 0, bytes};
  const Current current(*device);
  leet_status status = current.status(p);
  if (status == LEET_OK) {
    CUresult code = driver.cuMemAlloc_v2(&record->address, bytes);
    if (code == kOutOfMemory && blocks_kept() > 0) {
      blocks_release_kept();
      code = driver.cuMemAlloc_v2(&record->address, bytes);
    }
    if (code != 0) {
      status = driver_failed(p, driver, code, "cuMemAlloc_v2", what);
      size_t free_bytes = 0, total = 0;
      if (code == kOutOfMemory && driver.cuMemGetInfo_v2(&free_bytes, &total) == 0) {
        refuse(p, status, "%s: expected %llu bytes of device memory, %llu of %llu are free", what,
               (unsigned long long)bytes, (unsigned long long)free_bytes, (unsigned long long)total);
      }
    }
  }
  if (status != LEET_OK) {
    release(record);
    return status;
  }
  *out = record;
  return LEET_OK;
}

}  // namespace

leet_status Block::take(leet_params *p, Device *device, CUstream stream, uint64_t bytes, const char *what) {
  if (bytes == 0) return LEET_OK;
  /* A call on the caller's stream must not wait, and the driver frees only when the device is idle. Powers of two keep
   * what then piles up below the largest block. */
  const bool waits = stream == device->stream || stream == device->inward;
  Record *outgrown = nullptr;
  pthread_mutex_lock(&mutex);
  record_ = take_kept(device, stream_key(stream), bytes, waits ? &outgrown : nullptr);
  pthread_mutex_unlock(&mutex);
  leet_params unheard = {};
  if (outgrown) free_record(&unheard, outgrown, &kept);
  if (record_) return LEET_OK;
  uint64_t rounded = 256;
  while (rounded < bytes && rounded < kLargestRounded) rounded *= 2;
  return new_record(p, device, stream_key(stream), waits || rounded < bytes ? bytes : rounded, what, &record_);
}

Block::~Block() {
  if (record_) push(&kept, record_);
}

CUdeviceptr Block::address() const { return record_ ? record_->address : 0; }

uint64_t blocks_kept() {
  uint64_t bytes = 0;
  pthread_mutex_lock(&mutex);
  for (const Record *r = kept; r; r = r->next) bytes += r->bytes;
  pthread_mutex_unlock(&mutex);
  return bytes;
}

void blocks_release_kept() {
  pthread_mutex_lock(&mutex);
  Record *list = kept;
  kept = nullptr;
  pthread_mutex_unlock(&mutex);
  while (list) {
    Record *next = list->next;
    leet_params unheard = {};
    free_record(&unheard, list, &kept);
    list = next;
  }
}

leet_status allocate_named(leet_params *p, Device *device, uint64_t bytes, CUdeviceptr *address) {
  Record *record = nullptr;
  const leet_status status = new_record(p, device, 0, bytes ? bytes : 1, "a tensor", &record);
  if (status != LEET_OK) return status;
  *address = record->address;
  push(&named, record);
  return LEET_OK;
}

leet_status free_named(leet_params *p, Device *device, CUdeviceptr address) {
  Record *found = nullptr;
  pthread_mutex_lock(&mutex);
  for (Record **link = &named; *link; link = &(*link)->next) {
    if ((*link)->device != device || (*link)->address != address) continue;
    found = *link;
    *link = found->next;
    break;
  }
  pthread_mutex_unlock(&mutex);
  if (found == nullptr) {
    return refuse(p, LEET_INVALID_POINTER,
                  "address: expected one that leet_device_alloc gave on this device, got %#llx",
                  (unsigned long long)address);
  }
  return free_record(p, found, &named);
}

uint64_t named_bytes(int index) {
  uint64_t bytes = 0;
  pthread_mutex_lock(&mutex);
  for (const Record *r = named; r; r = r->next) bytes += r->device->index == index ? r->bytes : 0;
  pthread_mutex_unlock(&mutex);
  return bytes;
}

}  // namespace gpu
}  // namespace leet
