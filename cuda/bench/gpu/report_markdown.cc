#include "report.h"

namespace gpu_check {

namespace {

/* A field as a number in that format, a dash where it is missing. */
std::string shown(const Line &line, const char *key, const char *format, double times = 1) {
  if (line.get(key).empty()) return "-";
  char buffer[40];
  snprintf(buffer, sizeof buffer, format, line.number(key) * times);
  return buffer;
}

/* Text inside a cell of a table. */
std::string cell(const std::string &value) {
  std::string s;
  for (const char c : value) s += c == '|' ? std::string("\\|") : std::string(1, c);
  return s;
}

void row(FILE *file, const std::vector<std::string> &cells) {
  for (const std::string &c : cells) fprintf(file, "| %s ", cell(c).c_str());
  fprintf(file, "|\n");
}

void header(FILE *file, const std::vector<std::string> &names, size_t words) {
  row(file, names);
  for (size_t i = 0; i < names.size(); i++) fprintf(file, i < words ? "| --- " : "| ---: ");
  fprintf(file, "|\n");
}

void facts(FILE *file, const Report &report) {
  fprintf(file, "## Machine\n\n");
  header(file, {"what", "value"}, 2);
  const struct {
    const char *kind;
    const char *skip;
  } kinds[] = {{"machine", "emulated"}, {"library", ""}, {"run", "partial"}};
  for (const auto &kind : kinds) {
    for (const Field &field : report.last(kind.kind).fields) {
      if (field.key != kind.skip) row(file, {field.key, field.value});
    }
  }
  for (const Line &line : report.of("environment")) row(file, {line.get("name"), line.get("value")});
  fprintf(file, "\n");
}

void checks(FILE *file, const Report &report) {
  fprintf(file, "## Checks\n\n");
  header(file, {"check", "status", "passed", "failed", "skipped", "seconds", "note"}, 2);
  for (const Line &check : report.of("check")) {
    row(file, {check.get("name"), check.get("status"), shown(check, "passed", "%.0f"), shown(check, "failed", "%.0f"),
               shown(check, "skipped", "%.0f"), shown(check, "seconds", "%.1f"), check.get("why")});
  }
  fprintf(file, "\n");
  for (const Line &check : report.of("check")) {
    if (check.get("status") == "passed" || check.get("status") == "skipped") continue;
    fprintf(file, "### %s: what failed first\n\nAgain: `%s`\n\n```\n", check.get("name").c_str(),
            check.get("reproduce").c_str());
    for (const Line &failure : report.of("failure")) {
      if (failure.get("check") == check.get("name")) fprintf(file, "%s\n", failure.get("text").c_str());
    }
    fprintf(file, "```\n\n");
  }
  const std::vector<Line> errors = report.of("error");
  if (errors.empty()) return;
  fprintf(file, "### Errors of the driver\n\n");
  header(file, {"function", "code", "name", "text"}, 4);
  for (const Line &e : errors) row(file, {e.get("function"), e.get("code"), e.get("name"), e.get("text")});
  fprintf(file, "\n");
}

void peaks(FILE *file, const Report &report) {
  fprintf(file, "## Peaks measured in this run\n\n");
  header(file, {"what", "median", "best", "unit", "how"}, 1);
  for (const Line &p : report.of("peak")) {
    row(file, {p.get("name"), shown(p, "median", "%.4g"), shown(p, "best", "%.4g"), p.get("unit"), p.get("what")});
  }
  const std::vector<Line> images = report.of("image");
  fprintf(file, "\n");
  if (images.empty()) return;
  fprintf(file, "First calls, which load the kernels: ");
  for (size_t i = 0; i < images.size(); i++) {
    fprintf(file, "%s%s %s %s ms", i ? ", " : "", images[i].get("method").c_str(), images[i].get("dtype").c_str(),
            shown(images[i], "first_ms", "%.0f").c_str());
  }
  fprintf(file, ".\n\n");
}

const char *const kNotes =
    "Every case: device pointers, the caller's stream, timed by events; L2 is emptied before every repetition by "
    "reading\n"
    "twice its size; median and least of the repetitions. `queued`: 50 calls back to back, per call, so L2 keeps what "
    "fits\n"
    "and the host's part shows. GB/s counts the fewest bytes: q, k, v, o, decays and states once. `of bandwidth` is "
    "the\n"
    "share of the better of read and copy above, `of peak` the share of mma (flash; float32 counts as a third of tf32) "
    "or\n"
    "of fma. `model` is the library's own estimate. `error` is the distance from the CPU's float32 result, the worse "
    "of\n"
    "the first and the last head, o and state, as a share of what is allowed.\n";

void results(FILE *file, const Report &report, const char *kind, const char *title) {
  std::vector<Line> lines;
  for (const Line &line : report.of("result")) {
    if (line.get("kind") == kind) lines.push_back(line);
  }
  if (lines.empty()) return;
  fprintf(file, "### %s\n\n", title);
  header(file,
         {"method", "dtype", "decay", "B", "H", "d", "N", "ms", "least", "queued", "GB/s", "of bandwidth", "TFLOP/s",
          "of peak", "model ms", "measured / model", "error"},
         3);
  for (const Line &r : lines) {
    if (r.number("ok") != 1) {
      row(file, {r.get("method"), r.get("dtype"), r.get("decay"), r.get("B"), r.get("H"), r.get("d"), r.get("N"),
                 shown(r, "ms", "%.4f"), "**WRONG**: " + r.get("why"), "", "", "", "", "", "", "",
                 shown(r, "error_o", "%.2g") + ", " + shown(r, "error_state", "%.2g")});
      continue;
    }
    row(file,
        {r.get("method"), r.get("dtype"), r.get("decay"), r.get("B"), r.get("H"), r.get("d"), r.get("N"),
         shown(r, "ms", "%.4f"), shown(r, "ms_min", "%.4f"), shown(r, "ms_queued", "%.4f"), shown(r, "gbs", "%.0f"),
         shown(r, "bandwidth_share", "%.1f %%", 100), shown(r, "tflops", "%.1f"),
         shown(r, "peak_share", "%.1f %%", 100), shown(r, "model_ms", "%.4f"), shown(r, "measured_over_model", "%.2f"),
         shown(r, "error_o", "%.2g") + ", " + shown(r, "error_state", "%.2g")});
  }
  fprintf(file, "\n");
}

void left_out(FILE *file, const Report &report) {
  const std::vector<Line> lines = report.of("left_out");
  if (lines.empty()) return;
  fprintf(file, "## Left out\n\n");
  header(file, {"case", "why"}, 2);
  for (const Line &line : lines) row(file, {line.get("case"), line.get("why")});
  fprintf(file, "\n");
}

}  // namespace

void write_markdown(FILE *file, const Report &report) {
  const std::string title = (report.emulated ? "EMULATED: " : "") + report.last("machine").get("gpu");
  fprintf(file, "# %s\n\n**%s**\n\n", title.c_str(), report.verdict.c_str());
  fprintf(file, "Written by `scripts/gpu-check`.\n\n");
  facts(file, report);
  checks(file, report);
  peaks(file, report);
  if (!report.of("result").empty()) {
    fprintf(file, "## Benchmark\n\n%s\n", kNotes);
    results(file, report, "prefill", "Prefill");
    results(file, report, "decode", "Decode: one token, the state in place");
    results(file, report, "host", "Host arrays, copies included");
  }
  left_out(file, report);
}

}  // namespace gpu_check
