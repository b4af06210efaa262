// One line of PTX replaced when its module is loaded, so that tests can show that they notice.
#pragma once
#include <string>

namespace leetemu {

// The text with the configured line replaced, if it is of the module that the configuration names.
std::string patched(std::string ptx);

}  // namespace leetemu
