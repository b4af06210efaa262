// The text tables of expected values.
#pragma once
#include <string>

namespace isa {

// Calls `done` once for each line of the table, with an empty problem when it passed.
void runTable(const std::string &path, void (*done)(const std::string &name, const std::string &problem));

}  // namespace isa
