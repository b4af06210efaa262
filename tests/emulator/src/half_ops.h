// Arithmetic of f16, f16x2, bf16 and bf16x2.
#pragma once
#include "decode.h"

namespace leetemu {

// Builds add sub mul fma neg abs min max ex2 tanh of a 16-bit type.
void buildHalfArith(Builder &b);

}  // namespace leetemu
