// Finds the PTX text in a module image.
#pragma once
#include <string>

namespace leetemu {

// `image` is NUL-terminated PTX text or a fatbin. Of a fatbin, the newest PTX that the device can run is taken.
// `capability` is 80 for 8.0. Throws Fault.
std::string ptxOf(const void *image, unsigned capability);

}  // namespace leetemu
