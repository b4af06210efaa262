#include "fatbin.h"

#include "base.h"
#include "cuda_abi.h"
#include "fault.h"

namespace leetemu {
namespace {

constexpr u32 FATBIN_MAGIC = 0xBA55ED50, WRAPPER_MAGIC = 0x466243b1, ELF_MAGIC = 0x464c457f;
constexpr u16 KIND_PTX = 1;

struct FatbinHeader {
  u32 magic;
  u16 version, headerBytes;
  u64 bytes;  // of all entries
};
struct FatbinEntry {
  u16 kind, version;
  u32 headerBytes;
  u64 payloadBytes;
  u32 compressedBytes, reserved;
  u16 minor, major;
  u32 arch;
  u32 nameOffset, nameBytes;
  u64 flags, reserved2;
  u64 rawBytes;
};
struct FatbinWrapper {
  u32 magic, version;
  const void *data, *filename;
};

std::string newestPtx(const u8 *image, unsigned capability) {
  FatbinHeader head;
  memcpy(&head, image, sizeof head);
  const u8 *p = image + head.headerBytes, *end = p + head.bytes;
  const u8 *best = nullptr;
  FatbinEntry chosen{};
  std::string seen;
  while (p + sizeof(FatbinEntry) <= end) {
    FatbinEntry e;
    memcpy(&e, p, sizeof e);
    if (e.headerBytes < 16 || e.payloadBytes > static_cast<u64>(end - p))
      throw Fault(CUDA_ERROR_INVALID_IMAGE, "fatbin: bad entry");
    seen += format(" %s sm_%u", e.kind == KIND_PTX ? "PTX" : "SASS", e.arch);
    if (e.kind == KIND_PTX && e.arch <= capability && (!best || e.arch > chosen.arch)) best = p, chosen = e;
    p += e.headerBytes + e.payloadBytes;
  }
  if (!best)
    throw Fault(CUDA_ERROR_NO_BINARY_FOR_GPU, format("fatbin has no PTX for compute capability %u.%u; it has:%s",
                                                     capability / 10, capability % 10, seen.c_str()));
  if (chosen.compressedBytes != 0)
    throw Fault(CUDA_ERROR_NO_BINARY_FOR_GPU,
                "the PTX of this fatbin is compressed; build it with nvcc -fatbin --no-compress");
  const char *text = reinterpret_cast<const char *>(best) + chosen.headerBytes;
  return std::string(text, strnlen(text, chosen.payloadBytes));
}

}  // namespace

std::string ptxOf(const void *image, unsigned capability) {
  u32 magic = 0;
  memcpy(&magic, image, 1);
  // A text may be shorter than a magic number.
  if (static_cast<const char *>(image)[0] != 0) memcpy(&magic, image, strnlen(static_cast<const char *>(image), 4));
  if (magic == WRAPPER_MAGIC) {
    FatbinWrapper wrapper;
    memcpy(&wrapper, image, sizeof wrapper);
    return newestPtx(static_cast<const u8 *>(wrapper.data), capability);
  }
  if (magic == FATBIN_MAGIC) return newestPtx(static_cast<const u8 *>(image), capability);
  if (magic == ELF_MAGIC) throw Fault(CUDA_ERROR_NO_BINARY_FOR_GPU, "the image is machine code (cubin); PTX is needed");
  return static_cast<const char *>(image);
}

}  // namespace leetemu
