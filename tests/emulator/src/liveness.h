// When the registers of an entry hold something. PTX names a new register for every value; those that are never alive
// together share a place, which keeps the register file of a warp small.
#pragma once
#include <vector>

#include "ast.h"

namespace leetemu {

struct LiveRange {
  u32 first = 1, last = 0;  // statements, both included; first > last when the register does not occur
  bool fromStart = false;   // may be read before it is written
};

// By register. Empty when the body has calls, whose effects are not followed.
std::vector<LiveRange> liveRanges(const FunctionAst &f);

// The statement that a label means, seen from a scope of f; false when there is none.
bool findLabel(const FunctionAst &f, u32 scope, const std::string &name, u32 *statement);

}  // namespace leetemu
