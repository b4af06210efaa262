/** How much memory of a device is in use. @module */
import type { MemoryUse } from "../ffi/native.ts";
import { openNative } from "../ffi/open.ts";
import { parseCudaDevice } from "./device.ts";

export type { MemoryUse };

/**
 * Bytes of memory of a CUDA device. `allocated` counts the device tensors of this process that own their memory and were
 * not disposed; scratch memory of the library, which its next calls use again, is not in it, and neither in `free`.
 *
 * @param device `cuda` or `cuda:N`
 * @throws LeetError INVALID_DEVICE, or why there is no such device: NO_DRIVER, NO_DEVICE, UNSUPPORTED_DEVICE, ...
 */
export function memory(device: string = "cuda:0"): MemoryUse {
  return openNative().deviceMemory(parseCudaDevice(device));
}
