/* Runs the kernel cases against mutants: kernels of which one line of PTX is replaced by the emulated driver as it
 * loads them. The library does not know. For scripts/mutate.ts, one process per kernel:
 *
 *   mutants map [METHOD [SHAPES]]  the kernels that each case launches: "CASE<tab>KERNEL KERNEL ..."; of the first
 *                                  so many shapes, if it is said
 *   mutants KERNEL CASE,CASE,...   first "lines<tab>COST<tab>LINE LINE ...", the PTX lines of the kernel that these
 *                                  cases reach; then for each line "NUMBER<tab>LINE<tab>TEXT" of stdin
 *                                  "NUMBER<tab>FINDING<tab>CASE<tab>SCHEDULE<tab>WHAT", the first thing noticed
 *
 * FINDING is one of kFindings, or `none`, with `same bits` or `other bits` for WHAT: whether any output changed. Every
 * mutant has a process of its own, since it may poison or hang it. */
#include <sys/wait.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "cases.h"

namespace {

const int kMostLines = 1 << 18;
const unsigned kSeconds = 120;                          /* for one mutant */
const unsigned long long kLaunchInstructions = 5000000; /* more than any launch of a case that is not mutated */

/* How a report of the emulated driver begins to tell what it is about. */
const struct {
  const char *text, *finding;
} kFindings[] = {
    {"race: ", "race"},
    {"never written", "init"},
    {"divergent barrier", "barrier"},
    {"warp-wide", "barrier"},
    {"member mask", "barrier"},
    {"misaligned", "bounds"},
    {" is outside of", "bounds"},
    {"past the end", "bounds"},
    {"before the allocation", "bounds"},
    {"no allocation", "bounds"},
    {"null pointer", "bounds"},
    {"freed allocation", "bounds"},
    {"constant variable", "bounds"},
    {"warp instructions", "timeout"},
    {"PTX line", "invalid"},
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (int method = LEET_METHOD_VANILLA; method <= LEET_METHOD_FLASH; method++)
    for_cases(method, [&](const Case &x) { cases.push_back(x); });
  return cases;
}

/* Which kernels a case launches does not depend on its form of decay, so one form is run. */
int map(const Emulator &emulator, const char *method, int shapes) {
  std::vector<char> json(1 << 22);
  const std::vector<Case> cases = all_cases();
  std::string kernels;
  for (size_t n = 0; n < cases.size(); n++) {
    const Case &x = cases[n];
    if (strstr(kMethod[x.method], method) == nullptr) continue;
    if (shapes > 0 && (x.shape < kShapes || x.shape >= kShapes + shapes)) continue;
    const bool same =
        n > 0 && cases[n - 1].shape == x.shape && cases[n - 1].method == x.method && cases[n - 1].dtype == x.dtype;
    if (!same) {
      Prepared run;
      prepare(x, &run);
      name_test(x, "forward");
      emulator.reset();
      run_case(&run);
      prepared_free(&run);
      emulator.counters(json.data(), (int)json.size());
      kernels.clear();
      for (const char *at = json.data(); (at = strstr(at, "{\"name\": \"")) != nullptr;) {
        at += 10;
        kernels += std::string(at, strchr(at, '"')) + " ";
      }
    }
    printf("%d\t%s\n", (int)n, kernels.c_str());
  }
  return failed != 0;
}

/* The text that body() writes to the file descriptor it gets, in a process of its own. */
template <class Body>
std::string in_process(const Body &body) {
  int ends[2];
  fflush(stdout);
  if (pipe(ends) != 0) exit(1);
  const pid_t process = fork();
  if (process == 0) {
    close(ends[0]);
    alarm(kSeconds);
    body(ends[1]);
    _exit(0);
  }
  close(ends[1]);
  std::string text;
  char part[65536];
  for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0;) text.append(part, (size_t)n);
  close(ends[0]);
  waitpid(process, nullptr, 0);
  return text;
}

/* Of o and the final state. */
uint64_t bits_of(const Prepared &run) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (int i : {OUT, STATE_OUT, STATE_IN}) {
    const Array &a = run.call.array[i];
    for (size_t n = 0; n < a.bytes; n++) hash = (hash ^ ((const unsigned char *)a.data)[n]) * 0x100000001b3ull;
  }
  return hash;
}

/* The lines that the cases reach, and what they cost: the most warp instructions that all of them together need. */
std::string reached(const char *kernel, std::vector<Prepared> &runs, std::vector<uint64_t> &bits) {
  std::vector<unsigned long long> counts(kMostLines);
  const std::string text = in_process([&](int to) {
    const Emulator emulator = emulator_open();
    for (Prepared &run : runs) {
      name_test(run.x, "forward");
      run_case(&run);
      dprintf(to, "%llu\n", (unsigned long long)bits_of(run));
    }
    if (failed) _exit(1);
    emulator.lines(kernel, counts.data(), kMostLines);
    unsigned long long cost = 0;
    for (unsigned long long n : counts) cost += n;
    dprintf(to, "lines\t%llu\t", cost);
    for (int n = 0; n < kMostLines; n++) {
      if (counts[(size_t)n]) dprintf(to, "%d ", n);
    }
  });
  size_t at = 0;
  for (size_t n = 0; n < runs.size() && at != std::string::npos; n++) {
    bits.push_back(strtoull(text.c_str() + at, nullptr, 10));
    at = text.find('\n', at);
    if (at != std::string::npos) at++;
  }
  return at == std::string::npos ? text : text.substr(at);
}

/* Runs a mutant until something is noticed. */
std::string finding(const char *patch, const char *limit, std::vector<Prepared> &runs, const std::vector<int> &numbers,
                    const std::vector<uint64_t> &bits) {
  const std::string text = in_process([&](int to) {
    const Emulator emulator = emulator_open();
    emulator_set(&emulator, "QUIET", "1");
    emulator_set(&emulator, "MAX_INSTRUCTIONS", limit);
    emulator_set(&emulator, "PATCH", patch);
    dup2(to, 1);
    std::vector<char> report(1 << 16);
    bool same = true;
    for (size_t n = 0; n < runs.size(); n++) {
      std::string first;
      for (const char *schedule : kSchedule) {
        name_test(runs[n].x, schedule);
        emulator_set(&emulator, "SCHEDULE", schedule);
        printf("%d\t%s\t", numbers[n], schedule);
        run_case(&runs[n]);
        const Array &o = runs[n].call.array[OUT];
        const std::string now((const char *)o.data, o.bytes);
        if (schedule == kSchedule[0]) first = now;
        expect(first == now, "o differs between schedules");
        same = same && bits_of(runs[n]) == bits[n];
        printf("\n");
        if (failed == 0) continue;
        emulator.report(report.data(), (int)report.size());
        printf("REPORT %s\n", report.data());
        fflush(stdout);
        _exit(1);
      }
    }
    printf("DONE %s\n", same ? "same" : "other");
    fflush(stdout);
  });
  /* "CASE<tab>SCHEDULE<tab>FAIL ..." of the last run, and a report when the driver refused something. */
  const size_t fail = text.find("FAIL "), reported = text.find("REPORT ");
  if (fail == std::string::npos) {
    if (text.find("DONE same") != std::string::npos) return "none\t\t\tsame bits";
    if (text.find("DONE other") != std::string::npos) return "none\t\t\tother bits";
    return "timeout\t\t\tthe process ended";
  }
  const size_t from = text.rfind('\n', fail) == std::string::npos ? 0 : text.rfind('\n', fail) + 1;
  const std::string where = text.substr(from, fail - from);
  std::string what = text.substr(fail, text.find('\n', fail) - fail), kind = "wrong value";
  if (reported != std::string::npos && text.size() > reported + 8) {
    what = text.substr(reported + 7, text.find('\n', reported) - reported - 7);
    kind = "refused";
    for (const auto &f : kFindings) {
      if (what.find(f.text) == std::string::npos) continue;
      kind = f.finding;
      break;
    }
  }
  return kind + "\t" + where + what;
}

}  // namespace

int main(int argc, char **argv) {
  start_tests();
  if (argc > 1 && strcmp(argv[1], "map") == 0) {
    const Emulator emulator = emulator_open();
    return map(emulator, argc > 2 ? argv[2] : "", argc > 3 ? atoi(argv[3]) : 0);
  }
  if (argc != 3) {
    printf("usage: mutants map [METHOD [SHAPES]] | mutants KERNEL CASE,CASE,... <MUTANTS\n");
    return 2;
  }
  const std::vector<Case> cases = all_cases();
  std::vector<int> numbers;
  std::vector<Prepared> runs;
  for (char *word = strtok(argv[2], ","); word; word = strtok(nullptr, ",")) numbers.push_back(atoi(word));
  runs.resize(numbers.size());
  for (size_t n = 0; n < runs.size(); n++) {
    if (numbers[n] < 0 || (size_t)numbers[n] >= cases.size()) {
      printf("there is no case %d\n", numbers[n]);
      return 2;
    }
    prepare(cases[(size_t)numbers[n]], &runs[n]);
  }
  std::vector<uint64_t> bits;
  const std::string lines = reached(argv[1], runs, bits);
  printf("%s\n", lines.c_str());
  if (lines.compare(0, 5, "lines") != 0) return 1;
  char limit[32];
  snprintf(limit, sizeof limit, "%llu", 4 * strtoull(lines.c_str() + 6, nullptr, 10) + kLaunchInstructions);
  char mutant[4096];
  while (fgets(mutant, sizeof mutant, stdin)) {
    mutant[strcspn(mutant, "\n")] = 0;
    char *line = strchr(mutant, '\t'), *text = line ? strchr(line + 1, '\t') : nullptr;
    if (text == nullptr) continue;
    *line = *text = 0;
    const std::string patch = std::string(argv[1]) + ":" + (line + 1) + ":" + (text + 1);
    printf("%s\t%s\n", mutant, finding(patch.c_str(), limit, runs, numbers, bits).c_str());
    fflush(stdout);
  }
  for (Prepared &run : runs) prepared_free(&run);
  return 0;
}
