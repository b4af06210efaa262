/* flash for f16; the algorithm is in flash.cuh. */
#include "flash.cuh"

LEET_FLASH(f16, 32, F16Operand, 32, 64, 2)
LEET_FLASH(f16, 64, F16Operand, 64, 64, 2)
LEET_FLASH(f16, 128, F16Operand, 128, 32, 2)
LEET_FLASH(f16, 256, F16Operand, 256, 32, 2)
