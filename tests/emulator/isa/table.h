// The text tables of expected values.
#pragma once
#include <string>

namespace isa {

// Calls `done` once for each line of the table, with an empty problem when it passed and SKIPPED when the GPU is too
// old for its form.
extern const char *const SKIPPED;
void runTable(const std::string &path, void (*done)(const std::string &name, const std::string &problem));

}  // namespace isa
