// isa-test [--list] [FILTER]: runs the tables (*.isa beside the sources) and the registered tests.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "device.h"
#include "table.h"

namespace isa {
namespace {

struct Entry {
  std::string group, name;
  void (*run)();
};
std::vector<Entry> &entries() {
  static std::vector<Entry> list;
  return list;
}

int passed = 0, failures = 0, skipped = 0;
std::vector<std::string> problems;
const char *filter = nullptr;

void count(const std::string &name, const std::string &problem) {
  if (problem.empty()) {
    ++passed;
    return;
  }
  if (problem == SKIPPED) {
    ++skipped;
    return;
  }
  ++failures;
  printf("FAIL %s: %s\n", name.c_str(), problem.c_str());
}

}  // namespace

Test::Test(const char *group, const char *name, void (*run)()) { entries().push_back({group, name, run}); }

void failed(const char *file, int line, const std::string &what) {
  problems.push_back(std::string(strrchr(file, '/') ? strrchr(file, '/') + 1 : file) + ":" + std::to_string(line) +
                     ": " + what);
}

}  // namespace isa

int main(int argc, char **argv) {
  using namespace isa;
  if (argc > 1) filter = argv[1];
  setvbuf(stdout, nullptr, _IOLBF, 0);  // what is known so far, should the driver never return
  driver();
  if (driver().configure) {
    driver().configure("QUIET", "1");
    driver().configure("LOADING", "eager"); /* so that a bad instruction shows at the load */
  }
  for (const char *table : {"integer.isa", "float.isa", "convert.isa", "logic.isa"})
    if (!filter || strstr(table, filter)) runTable(std::string(ISA_FOLDER) + "/" + table, count);
  for (const Entry &e : entries()) {
    std::string name = e.group + "." + e.name;
    if (filter && name.find(filter) == std::string::npos) continue;
    // The group "emulator" asks for checks that no GPU has.
    if (!driver().emulated() && e.group == "emulator") {
      ++skipped;
      continue;
    }
    problems.clear();
    e.run();
    std::string all;
    for (const std::string &p : problems) all += (all.empty() ? "" : "\n     ") + p;
    count(name, all);
  }
  printf("%d passed, %d failed", passed, failures);
  printf(skipped ? ", %d skipped\n" : "\n", skipped);
  return failures ? 1 : 0;
}
