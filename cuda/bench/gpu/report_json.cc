#include "report.h"

namespace gpu_check {

namespace {

std::string quoted(const std::string &text) {
  std::string s = "\"";
  for (const char c : text) {
    char escaped[8];
    if (c == '"' || c == '\\') {
      s += std::string("\\") + c;
    } else if ((unsigned char)c < 0x20) {
      snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned)c);
      s += escaped;
    } else {
      s += c;
    }
  }
  return s + "\"";
}

std::string members(const Line &line) {
  std::string s;
  for (const Field &field : line.fields) {
    s += (s.empty() ? "" : ", ") + quoted(field.key) + ": " + (field.number ? field.value : quoted(field.value));
  }
  return s;
}

void array(FILE *file, const char *key, const std::vector<std::string> &objects, bool last = false) {
  fprintf(file, "  %s: [", quoted(key).c_str());
  for (size_t i = 0; i < objects.size(); i++) fprintf(file, "%s\n    {%s}", i ? "," : "", objects[i].c_str());
  fprintf(file, "%s]%s\n", objects.empty() ? "" : "\n  ", last ? "" : ",");
}

std::vector<std::string> objects_of(const Report &report, const std::string &kind) {
  std::vector<std::string> objects;
  for (const Line &line : report.of(kind)) objects.push_back(members(line));
  return objects;
}

}  // namespace

void write_json(FILE *file, const Report &report) {
  fprintf(file, "{\n  \"schema\": 1,\n  \"ok\": %s,\n  \"complete\": %s,\n  \"emulated\": %s,\n  \"verdict\": %s,\n",
          report.ok ? "true" : "false", report.complete ? "true" : "false", report.emulated ? "true" : "false",
          quoted(report.verdict).c_str());
  for (const char *kind : {"run", "machine", "library"}) {
    fprintf(file, "  %s: {%s},\n", quoted(kind).c_str(), members(report.last(kind)).c_str());
  }
  array(file, "environment", objects_of(report, "environment"));
  std::vector<std::string> checks;
  for (const Line &check : report.of("check")) {
    std::string failures;
    for (const Line &failure : report.of("failure")) {
      if (failure.get("check") != check.get("name")) continue;
      failures += (failures.empty() ? "" : ", ") + quoted(failure.get("text"));
    }
    checks.push_back(members(check) + ", \"failures\": [" + failures + "]");
  }
  array(file, "checks", checks);
  array(file, "images", objects_of(report, "image"));
  array(file, "peaks", objects_of(report, "peak"));
  array(file, "results", objects_of(report, "result"));
  array(file, "left_out", objects_of(report, "left_out"));
  array(file, "errors", objects_of(report, "error"), true);
  fprintf(file, "}\n");
}

}  // namespace gpu_check
