/* flash for f32; the algorithm is in flash.cuh. */
#include "flash.cuh"

LEET_FLASH(f32, 32, F32Operand, 32, 32, 2)
LEET_FLASH(f32, 64, F32Operand, 64, 32, 2)
LEET_FLASH(f32, 128, F32Operand, 128, 32, 2)
LEET_FLASH(f32, 256, F32Operand, 256, 32, 1)
