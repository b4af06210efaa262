// What kernels and driver calls have done, as JSON.
#pragma once
#include <string>

#include "program.h"

namespace leetemu {

// A kernel that goes away with its module leaves its counts here; kernels of one name are added up.
void countersAbsorb(const Kernel &k);
void countersTrack(const Kernel *k);
void countersUntrack(const Kernel *k);
void countersCall(const std::string &function);
// One entry of the list of leaks: what a context still held when it was released.
void countersLeak(const std::string &json);
void countersReset();
std::string countersJson();
// counts[n] grows by the warps that executed the instructions of PTX line n, below `lines`, of the loaded kernels of
// that name.
void countersByLine(const std::string &kernel, u64 *counts, u32 lines);
// To the configured file, if there is one.
void countersWrite();

}  // namespace leetemu
