#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>

#include "commands.h"
#include "kernels.h"
#include "record.h"
#include "run.h"

namespace gpu_check {

namespace {

const int kFewestRepeats = 10;
const unsigned kRowSeconds = 90; /* a case that takes longer has hung */

struct Limits {
  int repeats;
  double call_seconds; /* longer calls are left out */
  double row_seconds;  /* for the repetitions of one case */
};

Limits limits_of(const std::string &mode) {
  if (mode == "tiny") return {2, 1e9, 1e9};
  if (mode == "full") return {25, 8, 8};
  return {12, 0.8, 0.8};
}

/* Measured before in the same run; 0 where it is not known. */
struct Peaks {
  double bandwidth, fma, mma[3], pcie; /* mma by dtype: f32 is tf32 in three products */
};

Peaks peaks_of(const std::vector<Line> &lines) {
  Peaks peaks = {};
  for (const Line &line : lines) {
    if (line.kind != "peak") continue;
    const std::string &name = line.get("name");
    const double value = line.number("median");
    if (name == "read" || name == "copy") peaks.bandwidth = std::max(peaks.bandwidth, value);
    if (name == "h2d" || name == "d2h") peaks.pcie = peaks.pcie > 0 ? std::min(peaks.pcie, value) : value;
    if (name == "fma") peaks.fma = value;
    if (name == "mma_tf32") peaks.mma[LEET_F32] = value / 3;
    if (name == "mma_f16") peaks.mma[LEET_F16] = value;
    if (name == "mma_bf16") peaks.mma[LEET_BF16] = value;
  }
  return peaks;
}

volatile sig_atomic_t running_row = -1;
void gave_no_answer(int) {
  static const char text[] = "gpu-check: no answer from the GPU\n";
  if (write(2, text, sizeof text - 1) < 0) _exit(kGpuLost);
  _exit(kGpuLost);
}

class Sweep {
 public:
  Sweep(const Gpu &gpu, const std::string &mode, const Peaks &peaks)
      : gpu_(gpu), helpers_(gpu), limits_(limits_of(mode)), peaks_(peaks), tiny_(mode == "tiny") {
    const size_t piece = (size_t)flush_grid() * 256 * 16 * 4;
    flush_rounds_ = tiny_ ? 1 : (uint32_t)(2 * std::max(gpu.l2_bytes, (size_t)32 << 20) / piece + 1);
    flush_ = gpu.allocate(piece * flush_rounds_ + 64);
    uint32_t type = LEET_F32, seed = 9;
    float low = -1, range = 2;
    uint64_t words = piece / 4 * flush_rounds_;
    gpu.launch(helpers_.fill, flush_grid(), 256, {&flush_, &words, &type, &seed, &low, &range});
    gpu.wait();
  }
  ~Sweep() { gpu_.release(flush_); }
  Sweep(const Sweep &) = delete;
  Sweep &operator=(const Sweep &) = delete;

  /* Runs the case and records what came of it. False when the GPU is of no use any more. */
  bool row(const Case &c, int index) {
    leet_params p = params_of(c);
    leet_cost cost = {};
    cost.struct_size = sizeof cost;
    const leet_status status = leet_estimate(&p, &cost);
    if (status != LEET_OK) return left_out(c, index, p.message), true;
    if (cost.seconds > limits_.call_seconds && !tiny_) {
      return left_out(c, index, "modelled to take longer than a call may here: " + std::to_string(cost.seconds) + " s"),
             true;
    }
    const double needed = Run::least_bytes(c) + cost.workspace + (256 << 20), free_bytes = (double)gpu_.free_memory();
    if (needed > free_bytes && !tiny_) {
      return left_out(c, index,
                      "needs " + std::to_string((long)(needed * 1e-6)) + " MB of device memory, " +
                          std::to_string((long)(free_bytes * 1e-6)) + " MB are free"),
             true;
    }
    Run run(gpu_, helpers_, c);
    if (!run.prepare()) return left_out(c, index, "not enough device memory"), true;
    return measure(c, index, cost, &run);
  }

  int passed = 0, failed = 0, skipped = 0;

 private:
  unsigned flush_grid() const { return tiny_ ? 1 : (unsigned)gpu_.multiprocessors * 4; }

  /* Reads more than L2 holds, so that the next call finds nothing there, and nothing to write back. */
  void flush() {
    uint64_t sink = flush_ + (uint64_t)flush_grid() * 256 * 16 * 4 * flush_rounds_;
    gpu_.launch(helpers_.read, flush_grid(), 256, {&flush_, &sink, &flush_rounds_});
  }

  void left_out(const Case &c, int index, const std::string &why) {
    skipped++;
    Record("left_out").count("row", index).text("case", text_of(c)).text("why", why);
    leet_workspace_release();
  }

  bool refused(const Case &c, int index, leet_status status, const char *message) {
    if (status == LEET_DEVICE_OUT_OF_MEMORY) return left_out(c, index, message), true;
    failed++;
    printf("FAIL %s: status %d: %s\n", text_of(c).c_str(), (int)status, message);
    Record record("result");
    describe(c, index, &record);
    record.count("ok", 0).text("why", "status " + std::to_string(status) + ": " + message);
    return status < LEET_NO_DRIVER;
  }

  void describe(const Case &c, int index, Record *record) {
    record->count("row", index)
        .text("kind", kKindNames[c.kind])
        .text("method", method_name(c.method))
        .text("dtype", kTypeNames[c.dtype])
        .text("decay", kDecayNames[c.decays])
        .count("B", c.B)
        .count("H", c.H)
        .count("N", c.N)
        .count("d", c.d);
  }

  bool measure(const Case &c, int index, const leet_cost &cost, Run *run) {
    /* Twice from the same start: every element written, the same bits, right. */
    Digest found[2];
    double first_ms = 0;
    for (int i = 0; i < 2; i++) {
      run->poison();
      gpu_.wait();
      const double start = seconds_now();
      const leet_status status = run->call();
      if (status != LEET_OK) return refused(c, index, status, run->params.message);
      gpu_.wait();
      if (i == 0) first_ms = (seconds_now() - start) * 1e3;
      found[i] = run->digest();
    }
    const int64_t heads = c.B * c.H;
    Verdict worst = run->verify(0);
    if (heads > 1) {
      const Verdict last = run->verify(heads - 1);
      worst = {std::max(worst.o, last.o), std::max(worst.state, last.state)};
    }
    const bool right = worst.o <= 1 && worst.state <= 1, written = found[0].untouched == 0, same = found[0] == found[1];
    const bool ok = right && written && same;
    (ok ? passed : failed)++;
    std::string why;
    if (!right) why += "wrong result; ";
    if (!written) why += std::to_string(found[0].untouched) + " words not written; ";
    if (!same) why += "other bits the second time; ";

    std::vector<double> ms;
    double queued_ms = NAN;
    const leet_status status = time(c, run, &ms, &queued_ms);
    if (status != LEET_OK) return refused(c, index, status, run->params.message);
    leet_params automatic = params_of(c);
    automatic.method = LEET_METHOD_AUTO;
    leet_cost choice = {};
    choice.struct_size = sizeof choice;
    leet_estimate(&automatic, &choice);

    const double middle = median(ms), bytes = Run::least_bytes(c);
    const double rate = bytes / middle * 1e-6, tera = cost.flops / middle * 1e-9;
    const bool tensor = c.method == LEET_METHOD_FLASH && c.kind != kDecode;
    const double peak = tensor ? peaks_.mma[c.dtype] : peaks_.fma;
    const double bandwidth = c.kind == kHost ? peaks_.pcie : peaks_.bandwidth;
    {
      Record record("result");
      describe(c, index, &record);
      record.count("ok", ok)
          .number("ms", middle)
          .number("ms_min", least(ms))
          .number("ms_first", first_ms)
          .number("ms_queued", queued_ms)
          .count("repeats", (long long)ms.size())
          .number("bytes", bytes)
          .number("gbs", rate)
          .number("bandwidth_share", bandwidth > 0 ? rate / bandwidth : NAN)
          .number("flops", cost.flops)
          .number("tflops", tera)
          .text("peak", tensor ? "mma" : "fma")
          .number("peak_share", peak > 0 ? tera / peak : NAN)
          .number("model_ms", cost.seconds * 1e3)
          .number("measured_over_model", middle / (cost.seconds * 1e3))
          .number("error_o", worst.o)
          .number("error_state", worst.state)
          .text("auto", method_name(choice.method));
      if (!ok) record.text("why", why);
    }
    printf("%s%-60s %10.4f ms %7.0f GB/s %5.1f %%  model %9.4f ms  error %.2g %.2g %s\n", ok ? "" : "FAIL ",
           text_of(c).c_str(), middle, rate, bandwidth > 0 ? 100 * rate / bandwidth : 0, cost.seconds * 1e3, worst.o,
           worst.state, why.c_str());
    return true;
  }

  leet_status time(const Case &c, Run *run, std::vector<double> *ms, double *queued_ms) {
    Stopwatch watch(gpu_);
    int repeats = limits_.repeats;
    for (int i = 0; i < repeats; i++) {
      double time = 0;
      flush();
      if (c.kind == kHost) {
        gpu_.wait();
        const double start = seconds_now();
        const leet_status status = run->call();
        if (status != LEET_OK) return status;
        time = (seconds_now() - start) * 1e3;
      } else {
        watch.start();
        const leet_status status = run->call();
        if (status != LEET_OK) return status;
        time = watch.stop();
      }
      ms->push_back(time);
      if (i > 0 || tiny_) continue;
      const double possible = limits_.row_seconds * 1e3 / std::max(time, 1e-3);
      repeats = possible >= repeats ? repeats : std::max(kFewestRepeats, (int)possible);
    }
    if (c.kind == kHost || ms->back() > 1) return LEET_OK;
    const int calls = tiny_ ? 2 : 50;
    watch.start();
    for (int i = 0; i < calls; i++) {
      const leet_status status = run->call();
      if (status != LEET_OK) return status;
    }
    *queued_ms = watch.stop() / calls;
    return LEET_OK;
  }

  const Gpu &gpu_;
  const Helpers helpers_;
  const Limits limits_;
  const Peaks peaks_;
  const bool tiny_;
  uint64_t flush_;
  uint32_t flush_rounds_;
};

}  // namespace

int sweep(const char *records, const char *mode, const char *methods, double seconds) {
  const double start = seconds_now();
  const std::vector<Line> before = read_records(records);
  std::vector<int> begun, ended;
  for (const Line &line : before) {
    if (line.kind == "begin") begun.push_back((int)line.number("row"));
    if (line.kind == "result" || line.kind == "left_out") ended.push_back((int)line.number("row"));
  }
  const auto has = [](const std::vector<int> &rows, int row) {
    return std::find(rows.begin(), rows.end(), row) != rows.end();
  };
  const std::vector<Case> cases = cases_of(mode, methods);
  for (int row = 0; row < (int)cases.size(); row++) {
    if (!has(begun, row) || has(ended, row)) continue;
    const Case &c = cases[(size_t)row];
    printf("FAIL %s: the program that ran it ended\n", text_of(c).c_str());
    Record("result")
        .count("row", row)
        .text("kind", kKindNames[c.kind])
        .text("method", method_name(c.method))
        .text("dtype", kTypeNames[c.dtype])
        .text("decay", kDecayNames[c.decays])
        .count("B", c.B)
        .count("H", c.H)
        .count("N", c.N)
        .count("d", c.d)
        .count("ok", 0)
        .text("why", "the program that ran it ended");
    ended.push_back(row);
  }
  signal(SIGALRM, gave_no_answer);
  const Gpu gpu;
  Sweep sweep(gpu, mode, peaks_of(before));
  for (int row = 0; row < (int)cases.size(); row++) {
    if (has(ended, row)) continue;
    if (seconds_now() - start > seconds) {
      Record("left_out").count("row", row).text("case", text_of(cases[(size_t)row])).text("why", "the time was up");
      sweep.skipped++;
      continue;
    }
    Record("begin").count("row", row);
    alarm(kRowSeconds);
    const bool usable = sweep.row(cases[(size_t)row], row);
    alarm(0);
    leet_workspace_release();
    if (!usable) return kGpuLost;
  }
  printf("%d passed, %d failed, %d skipped\n", sweep.passed, sweep.failed, sweep.skipped);
  return sweep.failed > 0 || sweep.passed == 0;
}

}  // namespace gpu_check
