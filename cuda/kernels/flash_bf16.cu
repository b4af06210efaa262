/* flash for bf16; the algorithm is in flash.cuh. */
#include "flash.cuh"
#include "operand16.cuh"

LEET_FLASH(bf16, k32, leet::gpu::Bf16Operand, 32, 64, 2, 64)
LEET_FLASH(bf16, k64, leet::gpu::Bf16Operand, 64, 64, 2, 64)
LEET_FLASH(bf16, k128, leet::gpu::Bf16Operand, 128, 64, 2, 64)
LEET_FLASH(bf16, k256, leet::gpu::Bf16Operand, 256, 32, 2, 64)
LEET_FLASH(bf16, wide_k64, leet::gpu::Bf16Operand, 64, 64, 2, 128)
LEET_FLASH(bf16, wide_k128, leet::gpu::Bf16Operand, 128, 64, 2, 128)
