/* The CUDA driver, found at run time. The library loads and works on the CPU where there is none. */
#ifndef LEET_GPU_DRIVER_H
#define LEET_GPU_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include "../../include/leet.h"

namespace leet {
namespace gpu {

/* The part of the driver's ABI in use, declared here so that no toolkit header is needed. */
typedef int CUresult;
typedef int CUdevice;
typedef uint64_t CUdeviceptr;
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;

enum {
  kAttributeMultiprocessors = 16, /* CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT */
  kAttributeMajor = 75,           /* CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR */
  kAttributeMinor = 76,           /* CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR */
  kAttributeSharedTotal = 81,     /* CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR */
  kAttributeSharedOptIn = 97,     /* CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN */
  kFunctionSharedCarveout = 9,    /* CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, percent */
  kFunctionDynamicShared = 8,     /* CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES */
  kStreamNonBlocking = 1,         /* CU_STREAM_NON_BLOCKING */
  kStreamPerThread = 2,           /* CU_STREAM_PER_THREAD: one handle, another stream in every thread */
  kEventDisableTiming = 2,        /* CU_EVENT_DISABLE_TIMING */
};

struct Driver {
#define LEET_DRIVER(name, parameters) CUresult(*name) parameters;
#include "driver.def"
#undef LEET_DRIVER
};

/* The loaded and initialised driver, or a refusal: LEET_NO_DRIVER, LEET_NO_DEVICE, LEET_DRIVER_TOO_OLD or what cuInit
 * said. Any thread; a refusal is final only where a later call could not end otherwise. */
leet_status load_driver(leet_params *p, const Driver **driver);

/* The status and the message for a driver function that returned `code` != 0, with the driver's own words for it.
 * `doing` is what the call was for, such as "copying q to the device". */
leet_status driver_failed(leet_params *p, const Driver &driver, CUresult code, const char *function, const char *doing);

/* Calls driver.function(...); on failure returns from the calling function with the refusal. */
#define LEET_TRY_DRIVER(p, driver, doing, function, ...)                                 \
  do {                                                                                   \
    const leet::gpu::CUresult code_ = (driver).function(__VA_ARGS__);                    \
    if (code_ != 0) return leet::gpu::driver_failed(p, driver, code_, #function, doing); \
  } while (0)

}  // namespace gpu
}  // namespace leet
#endif
