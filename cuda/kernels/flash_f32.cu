/* flash for f32; the algorithm is in flash.cuh. */
#include "flash.cuh"
#include "operand32.cuh"

LEET_FLASH(f32, k32, leet::gpu::F32Operand, 32, 32, 2, 64)
LEET_FLASH(f32, k64, leet::gpu::F32Operand, 64, 32, 2, 64)
LEET_FLASH(f32, k128, leet::gpu::F32Operand, 128, 32, 2, 64)
LEET_FLASH(f32, k256, leet::gpu::F32Operand, 256, 32, 1, 64)
LEET_FLASH(f32, wide_k64, leet::gpu::F32Operand, 64, 32, 2, 128)
LEET_FLASH(f32, wide_k128, leet::gpu::F32Operand, 128, 32, 2, 128)
