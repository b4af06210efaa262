#include "report.h"

#include "commands.h"

namespace gpu_check {

std::vector<Line> Report::of(const std::string &kind) const {
  std::vector<Line> found;
  for (const Line &line : lines) {
    if (line.kind == kind) found.push_back(line);
  }
  return found;
}

Line Report::last(const std::string &kind) const {
  const std::vector<Line> found = of(kind);
  return found.empty() ? Line() : found.back();
}

namespace {

void judge(Report *report) {
  int passed = 0, failed = 0, cases_right = 0, cases_wrong = 0;
  std::string bad;
  for (const Line &check : report->of("check")) {
    if (check.get("status") == "skipped") continue;
    const bool good = check.get("status") == "passed";
    (good ? passed : failed)++;
    if (!good) bad += (bad.empty() ? "" : ", ") + check.get("name");
  }
  for (const Line &result : report->of("result")) (result.number("ok") == 1 ? cases_right : cases_wrong)++;
  if (cases_wrong > 0) bad += (bad.empty() ? "" : ", ") + std::to_string(cases_wrong) + " benchmark cases";
  report->ok = failed == 0 && cases_wrong == 0 && passed > 0;
  report->complete = report->last("run").number("partial") != 1;
  report->emulated = report->last("machine").number("emulated") == 1;
  const Line machine = report->last("machine");
  std::string verdict = report->emulated ? "EMULATED, timings mean nothing: " : "";
  verdict += report->ok ? "PASSED" : "FAILED";
  if (!report->complete) verdict += " (only some parts ran)";
  verdict += " on " + machine.get("gpu") + ", compute capability " + machine.get("compute_capability") + ": ";
  verdict += std::to_string(passed) + " of " + std::to_string(passed + failed) + " checks passed, " +
             std::to_string(cases_right) + " of " + std::to_string(cases_right + cases_wrong) +
             " benchmark cases were right";
  if (!bad.empty()) verdict += "; failed: " + bad;
  report->verdict = verdict;
}

bool write(const char *path, void (*body)(FILE *, const Report &), const Report &report) {
  const std::string part = std::string(path) + ".tmp";
  FILE *file = fopen(part.c_str(), "w");
  if (file == nullptr) {
    perror(part.c_str());
    return false;
  }
  body(file, report);
  return fclose(file) == 0 && rename(part.c_str(), path) == 0;
}

}  // namespace

int report(const char *records, const char *json, const char *markdown) {
  Report report = {read_records(records), false, false, false, ""};
  judge(&report);
  if (!write(json, write_json, report) || !write(markdown, write_markdown, report)) return 1;
  printf("%s\n", report.verdict.c_str());
  return report.ok ? 0 : 1;
}

}  // namespace gpu_check
