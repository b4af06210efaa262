// add, sub, mul, ... exist for integers and for floats: the builders by type live in two files.
#pragma once
#include "decode.h"

namespace leetemu {

// Type of the statement, without taking any modifier: its last type modifier, or the first for cvt-like forms.
inline Ty lastType(const Statement &s) {
  for (size_t k = s.mods.size(); k-- > 0;)
    if (Ty t = typeNamed(s.mods[k]); t != Ty::none) return t;
  return Ty::none;
}

// Each builds a statement of that name whose type is an integer.
void buildIntegerArith(Builder &b);

}  // namespace leetemu
