/* flash for bf16; the algorithm is in flash.cuh. */
#include "flash.cuh"

LEET_FLASH(bf16, 32, Bf16Operand, 32, 64, 2)
LEET_FLASH(bf16, 64, Bf16Operand, 64, 64, 2)
LEET_FLASH(bf16, 128, Bf16Operand, 128, 64, 2)
LEET_FLASH(bf16, 256, Bf16Operand, 256, 32, 2)
