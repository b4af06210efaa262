#include "record.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace gpu_check {

namespace {

std::string &records_path() {
  static std::string path;
  return path;
}

}  // namespace

void set_records(const std::string &path) { records_path() = path; }

Record &Record::field(const std::string &start, const std::string &value) {
  line_ += "\t" + start;
  for (const char c : value) line_ += c == '\t' || c == '\n' || c == '\r' ? ' ' : c;
  return *this;
}

Record &Record::text(const char *key, const std::string &value) { return field(std::string(key) + "=", value); }

Record &Record::number(const char *key, double value) {
  char text[40];
  snprintf(text, sizeof text, "%.6g", value);
  return std::isfinite(value) ? field(std::string(key) + ":=", text) : *this;
}

Record &Record::count(const char *key, long long value) {
  return field(std::string(key) + ":=", std::to_string(value));
}

Record::~Record() {
  if (records_path().empty()) return;
  FILE *file = fopen(records_path().c_str(), "a");
  if (file == nullptr) return;
  fprintf(file, "%s\n", line_.c_str());
  fclose(file);
}

const std::string &Line::get(const std::string &key) const {
  static const std::string none;
  for (const Field &field : fields) {
    if (field.key == key) return field.value;
  }
  return none;
}

double Line::number(const std::string &key, double otherwise) const {
  const std::string &text = get(key);
  char *end = nullptr;
  const double value = strtod(text.c_str(), &end);
  return text.empty() || *end != 0 ? otherwise : value;
}

std::vector<Line> read_records(const std::string &path) {
  std::vector<Line> lines;
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    std::stringstream parts(text);
    Line line;
    std::getline(parts, line.kind, '\t');
    for (std::string part; std::getline(parts, part, '\t');) {
      const size_t at = part.find('=');
      if (at == std::string::npos || at == 0) continue;
      const bool number = part[at - 1] == ':';
      line.fields.push_back({part.substr(0, number ? at - 1 : at), part.substr(at + 1), number});
    }
    if (!line.kind.empty()) lines.push_back(line);
  }
  return lines;
}

}  // namespace gpu_check
