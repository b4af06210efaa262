// PTX text to ModuleAst.
#pragma once
#include "ast.h"

namespace leetemu {

// Throws Fault(CUDA_ERROR_INVALID_PTX) naming the line of the first thing it does not understand.
ModuleAst parse(const std::string &source);

// The index of the special register in every name of the form "tid.x"; false for names that are none.
bool isSpecialRegister(const std::string &name);

}  // namespace leetemu
