// How everything below the driver functions fails: an exception with a driver error code and a text.
#pragma once
#include <cstdarg>
#include <stdexcept>
#include <string>

#include "base.h"

namespace leetemu {

std::string format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct Fault : std::runtime_error {
  int code;  // a CUresult
  Fault(int code, const std::string &text) : std::runtime_error(text), code(code) {}
};

// Appends a line to the report, which leetemu_report reads, and writes it to stderr unless the configuration is quiet.
void report(const std::string &line);
std::string reportText();
void reportClear();
u64 reportCount();

}  // namespace leetemu
