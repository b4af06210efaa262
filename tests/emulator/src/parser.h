// PTX text to ModuleAst.
#pragma once
#include "ast.h"

namespace leetemu {

// Throws Fault(CUDA_ERROR_INVALID_PTX) naming the line of the first thing it does not understand. The bodies of entries
// are only kept as text, for a module has many kernels and a program uses few.
ModuleAst parse(std::string source);
// The entry with its body. The module must outlive it.
FunctionAst parseBody(const ModuleAst &module, const FunctionAst &entry);

// The index of the special register in every name of the form "tid.x"; false for names that are none.
bool isSpecialRegister(const std::string &name);

}  // namespace leetemu
