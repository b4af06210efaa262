// Limits of the emulated device, by compute capability.
#pragma once

namespace leetemu {

struct DeviceLimits {
  int threadsPerBlock = 1024;
  int blockDim[3] = {1024, 1024, 64};
  int gridDim[3] = {2147483647, 65535, 65535};
  int sharedPerBlock = 48 << 10;  // without opting in
  int sharedOptIn = 0, sharedPerSm = 0;
  int registersPerBlock = 65536, registersPerSm = 65536;
  int threadsPerSm = 0, blocksPerSm = 0;
};

const DeviceLimits &deviceLimits();

}  // namespace leetemu
