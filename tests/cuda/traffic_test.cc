/* What the kernels move and multiply, counted by the emulated driver: bytes over the least possible, bank conflicts in
 * the loop over chunks, mma instructions against the number that the algorithm needs. `traffic_test --table` prints the
 * figures for docs/cuda-kernels.md. */
#include <sys/wait.h>

#include <string>
#include <vector>

#include "emulator.h"
#include "judge.h"

namespace {

const char *const kMethod[] = {"auto", "vanilla", "recurrent", "block", "recursion", "lightning", "fleet", "flash"};
const char *const kDtype[] = {"f32", "f16", "bf16"};

/* Limits that the design sets: bytes moved over the least possible, and passes over the banks. */
const double kUncut = 1.10;
const double kCut = 1.60; /* heads in segments */
const double kConflicts = 2;

struct Row {
  int method, dtype;
  int64_t B, H, N, dk, dv;
  int multiprocessors;
  int segments;     /* forced; 0 = as flash_plan chooses */
  double most;      /* bytes over the least possible */
  double conflicts; /* the worst factor in the loop over chunks; 0 = not looked at */
};

const int kFlash = LEET_METHOD_FLASH, kLightning = LEET_METHOD_LIGHTNING, kRecurrent = LEET_METHOD_RECURRENT;

const Row kRows[] = {
    /* One segment. */
    {kFlash, LEET_BF16, 1, 2, 1024, 32, 64, 1, 0, kUncut, kConflicts},
    {kFlash, LEET_BF16, 1, 2, 1024, 64, 64, 1, 0, kUncut, kConflicts},
    {kFlash, LEET_BF16, 1, 2, 1024, 64, 128, 1, 0, kUncut, kConflicts},
    {kFlash, LEET_BF16, 1, 2, 1024, 128, 128, 1, 0, kUncut, kConflicts},
    {kFlash, LEET_BF16, 1, 1, 512, 256, 64, 1, 0, kUncut, 3},
    {kFlash, LEET_F16, 1, 2, 1024, 64, 64, 1, 0, kUncut, kConflicts},
    {kFlash, LEET_F16, 1, 2, 1024, 128, 128, 1, 0, kUncut, kConflicts},
    {kFlash, LEET_F16, 1, 1, 512, 256, 64, 1, 0, kUncut, 3},
    {kFlash, LEET_F32, 1, 2, 1024, 32, 64, 1, 0, kUncut, kConflicts},
    {kFlash, LEET_F32, 1, 2, 1024, 64, 64, 1, 0, kUncut, kConflicts},
    {kFlash, LEET_F32, 1, 2, 1024, 128, 128, 1, 0, kUncut, kConflicts},
    {kFlash, LEET_F32, 1, 1, 512, 256, 64, 1, 0, kUncut, 3},
    /* Heads in segments: keys and values twice but for the last one, and the states between. */
    {kFlash, LEET_BF16, 1, 2, 4096, 64, 64, 108, 2, kCut, kConflicts},
    {kFlash, LEET_BF16, 1, 2, 4096, 64, 64, 108, 4, kCut, kConflicts},
    {kFlash, LEET_BF16, 1, 2, 4096, 128, 128, 2, 2, kCut, kConflicts},
    {kFlash, LEET_BF16, 1, 2, 4096, 128, 128, 2, 4, kCut, kConflicts},
    {kFlash, LEET_F16, 1, 2, 4096, 64, 64, 108, 4, kCut, kConflicts},
    {kFlash, LEET_F16, 1, 2, 4096, 128, 128, 2, 2, kCut, kConflicts},
    {kFlash, LEET_F32, 1, 2, 4096, 64, 64, 108, 4, kCut, kConflicts},
    {kFlash, LEET_F32, 1, 2, 4096, 128, 128, 2, 4, kCut, kConflicts},
    /* As many segments as the modelled time asks for: few heads on a large device move more to wait less. */
    {kFlash, LEET_BF16, 1, 4, 4096, 64, 64, 108, 0, 2.0, kConflicts},
    {kFlash, LEET_BF16, 1, 2, 4096, 128, 128, 108, 0, 3.2, kConflicts},
    {kFlash, LEET_BF16, 1, 8, 4096, 128, 128, 132, 0, 2.1, kConflicts},
    {kFlash, LEET_F16, 1, 2, 4096, 64, 64, 108, 0, 2.0, kConflicts},
    {kFlash, LEET_F16, 1, 4, 4096, 128, 128, 108, 0, 2.9, kConflicts},
    {kFlash, LEET_F32, 1, 2, 4096, 64, 64, 108, 0, 2.0, kConflicts},
    {kFlash, LEET_F32, 1, 4, 4096, 128, 128, 108, 0, 2.7, kConflicts},
    /* lightning reads queries and keys twice per chunk and writes every other column at once. */
    {kLightning, LEET_BF16, 1, 1, 512, 64, 32, 108, 0, 1.95, 0},
    {kLightning, LEET_F32, 1, 1, 512, 128, 32, 108, 0, 2.10, 0},
    /* decode: the state once in and once out. */
    {kRecurrent, LEET_F32, 4, 2, 1, 128, 128, 108, 0, 1.15, 0},
    {kRecurrent, LEET_BF16, 4, 2, 1, 64, 64, 108, 0, 1.15, 0},
    {kRecurrent, LEET_F16, 1, 2, 1, 256, 256, 108, 0, 1.15, 0},
};

/* What one kernel did. */
struct Kernel {
  std::string name;
  double launches, ctas, loaded, stored; /* bytes, whole sectors */
  double conflicts;                      /* the worst of the lines that every chunk executes; 0 when there is none */
  double mma, needed;
  int64_t segments; /* of a head, as far as the kernel tells: 1 but for flash_states */
};

/* The number behind "key": after `from`, which is the place of the object that holds it. */
double number_after(const std::string &json, size_t from, const char *key) {
  const size_t at = json.find(std::string("\"") + key + "\": ", from);
  return at == std::string::npos ? NAN : atof(json.c_str() + at + strlen(key) + 4);
}

int threads_of(const std::string &kernel) {
  const struct {
    const char *name;
    int threads;
  } rows[] = {
#define LEET_KERNEL(module, name, threads, blocks, dynamic, shared, registers) {"leet_" #name, threads},
#include "../../cuda/kernels/kernels.def"
#undef LEET_KERNEL
  };
  for (const auto &row : rows) {
    if (kernel == row.name) return row.threads;
  }
  return 0;
}

/* The worst conflict factor of the shared accesses that a warp executes for every chunk: more than twice per warp. */
double conflicts_in_loop(const std::string &json, double ctas, int threads) {
  double worst = 0;
  for (size_t at = json.find("\"shared_lines\": ["); (at = json.find("{\"line\": ", at)) != std::string::npos; at++) {
    const double executed = number_after(json, at, "executed"), factor = number_after(json, at, "conflict_factor");
    if (executed > 2 * ctas * threads / 32 && factor > worst) worst = factor;
  }
  return worst;
}

/* mma instructions by the algorithm, for each chunk of C tokens that a block of `columns` columns computes. */
double mma_per_chunk(int dtype, int C, int dk, int columns, bool outputs) {
  const int terms = dtype == LEET_BF16 ? 16 : 8; /* of one mma: bf16 m16n8k16, tf32 m16n8k8 */
  const int parts = dtype == LEET_F32 ? 3 : 1;   /* 3xTF32 */
  const int score_terms = dtype == LEET_F32 ? 8 : 16;
  const int blocks = C / 16, pairs = blocks * (blocks + 1) / 2; /* 16 x 16 blocks of scores on and below the diagonal */
  const int lefts = dtype == LEET_BF16 ? 2 : 1;                 /* V as the sum of two bf16 in the update */
  const double scores = pairs * 2.0 * dk / score_terms * parts;
  const double inter = blocks * (columns / 8.0) * dk / terms * parts;
  const double intra = pairs * (16.0 / terms) * (columns / 8.0) * parts;
  const double update = columns / 16.0 * (dk / 8.0) * C / terms * parts * lefts;
  return update + (outputs ? scores + inter + intra : 0);
}

/* Segments per head and mma instructions of a flash kernel, which its name and the number of its blocks tell. */
void work_of(const Row &row, Kernel *k) {
  const bool states = k->name.find("_states_") != std::string::npos, wide = k->name.find("_wide_") != std::string::npos;
  const size_t size = k->name.find("_k");
  k->segments = 1;
  k->needed = 0;
  if (k->name.compare(0, 11, "leet_flash_") != 0 || size == std::string::npos) return;
  const int dk = atoi(k->name.c_str() + size + 2), columns = wide ? 128 : 64;
  const int chunk[3][4] = {{32, 32, 32, 32}, {64, 64, 32, 32}, {64, 64, 64, 32}}; /* by dtype and dk */
  const int C = chunk[row.dtype][dk == 32 ? 0 : dk == 64 ? 1 : dk == 128 ? 2 : 3];
  const int64_t tiles = (row.dv + columns - 1) / columns, heads = row.B * row.H, chunks = (row.N + C - 1) / C;
  int64_t visits = chunks;
  if (states) { /* all segments but the last */
    k->segments = (int64_t)k->ctas / (heads * tiles) + 1;
    const int64_t each = (chunks + k->segments - 1) / k->segments;
    visits = each * (k->segments - 1) < chunks ? each * (k->segments - 1) : chunks;
  }
  k->needed = (double)(visits * heads * tiles) * mma_per_chunk(row.dtype, C, dk, columns, !states);
}

double all_mma(const std::string &json) {
  double sum = 0;
  const size_t from = json.find("\"mma\": {"), end = json.find('}', from);
  for (size_t at = from + 8; (at = json.find("\": ", at)) < end; at++) sum += atof(json.c_str() + at + 3);
  return sum;
}

std::vector<Kernel> kernels_of(const Row &row, const std::string &json) {
  std::vector<Kernel> kernels;
  const std::string mark = "    {\"name\": \"";
  for (size_t at = json.find(mark), next; at != std::string::npos; at = next) {
    next = json.find(mark, at + 1);
    const std::string one = json.substr(at, next == std::string::npos ? next : next - at);
    Kernel k;
    k.name = one.substr(mark.size(), one.find('"', mark.size()) - mark.size());
    k.launches = number_after(one, 0, "launches");
    k.ctas = number_after(one, 0, "ctas");
    k.loaded = number_after(one, one.find("\"global_load\""), "sector_bytes");
    k.stored = number_after(one, one.find("\"global_store\""), "sector_bytes");
    k.mma = all_mma(one);
    work_of(row, &k);
    k.conflicts = conflicts_in_loop(one, k.ctas, threads_of(k.name));
    kernels.push_back(k);
  }
  return kernels;
}

/* q, k, v, o and both states once. */
double least_bytes(const Row &row) {
  const double tokens = (double)(row.B * row.H * row.N), element = row.dtype == LEET_F32 ? 4 : 2;
  return tokens * (double)(2 * row.dk + 2 * row.dv) * element + (double)(row.B * row.H * row.dk * row.dv) * 8;
}

/* The counters of a call, from a process of its own: a device has the multiprocessors that it was opened with. */
std::string counters_of(const Row &row) {
  int ends[2];
  fflush(stdout);
  if (pipe(ends) != 0) exit(1);
  const pid_t process = fork();
  if (process == 0) {
    close(ends[0]);
    const Emulator emulator = emulator_open();
    char count[16];
    snprintf(count, sizeof count, "%d", row.multiprocessors);
    emulator_set(&emulator, "SM_COUNT", count);
    emulator_set(&emulator, "CHECKS", "off"); /* other tests look for those */
    char segments[16];
    snprintf(segments, sizeof segments, "%d", row.segments);
    if (row.segments) setenv("LEET_CUDA_SEGMENTS", segments, 1);
    leet_params p = shape_of(row.B, row.H, row.H, row.N, row.dk, row.dv);
    p.method = row.method;
    p.dtype = row.dtype;
    p.device = LEET_DEVICE_CUDA;
    p.flags = LEET_FLAG_DEVICE_POINTERS; /* host arrays would go in parts, each planned for itself */
    Call c;
    call_new(&c, &p);
    for (int i = 0; i < ARRAYS; i++) {
      uint64_t address = 0;
      const Array &array = c.array[i];
      if (c.argument[i] == nullptr) continue;
      if (leet_device_alloc(0, array.bytes, &address, nullptr, 0) != LEET_OK) _exit(1);
      if (leet_device_write(0, address, array.data, array.bytes, nullptr, 0) != LEET_OK) _exit(1);
      c.argument[i] = (void *)address;
    }
    if (call_forward(&c) != LEET_OK) dprintf(ends[1], "%s", c.p.message);
    float last;
    (void)leet_device_read(0, &last, (uint64_t)c.argument[STATE_OUT], 4, nullptr, 0); /* waits */
    const int bytes = emulator.counters(nullptr, 0) + 1;
    std::string json((size_t)bytes, 0);
    emulator.counters(&json[0], bytes);
    for (size_t at = 0; at < json.size();) {
      const ssize_t n = write(ends[1], json.data() + at, json.size() - at);
      if (n <= 0) _exit(1);
      at += (size_t)n;
    }
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

void name_row(const Row &row, char *name, size_t bytes) {
  snprintf(name, bytes, "%s %s B=%d H=%d N=%d dk=%d dv=%d", row.N == 1 ? "decode" : kMethod[row.method],
           kDtype[row.dtype], (int)row.B, (int)row.H, (int)row.N, (int)row.dk, (int)row.dv);
}

void check_row(const Row &row, bool table) {
  char name[100];
  name_row(row, name, sizeof name);
  current_test = name;
  const std::string json = counters_of(row);
  const std::vector<Kernel> kernels = kernels_of(row, json);
  expect(!kernels.empty(), "no kernel ran: %.200s", json.c_str());
  double bytes = 0, stored = 0, worst = 0, mma = 0, needed = 0, launches = 0;
  int64_t segments = 1;
  std::string names;
  for (const Kernel &k : kernels) {
    segments = k.segments > segments ? k.segments : segments;
    bytes += k.loaded + k.stored;
    stored += k.stored;
    launches += k.launches;
    mma += k.mma;
    needed += k.needed;
    worst = k.conflicts > worst ? k.conflicts : worst;
    names += (names.empty() ? "" : ", ") + k.name.substr(5);
    expect(k.mma == k.needed, "%s: %.0f mma instructions, the algorithm needs %.0f", k.name.c_str(), k.mma, k.needed);
    if (k.mma > 0) {
      expect(k.conflicts > 0 && k.conflicts <= row.conflicts, "%s: bank conflicts in the loop: factor %g",
             k.name.c_str(), k.conflicts);
    }
  }
  const double factor = bytes / least_bytes(row);
  expect(factor <= row.most, "%.2f of the least bytes, allowed are %.2f", factor, row.most);
  expect(factor >= 1, "%.2f of the least bytes: something is not counted", factor);
  const bool cut = row.method == kFlash && row.most > kUncut;
  const size_t expected = cut ? 3 : 1;
  expect(kernels.size() == expected && launches == (double)expected, "%zu kernels, %.0f launches", kernels.size(),
         launches);
  if (!cut && row.method != kLightning) {
    const double element = row.dtype == LEET_F32 ? 4 : 2, o = (double)(row.B * row.H * row.N * row.dv) * element;
    const double state = (double)(row.B * row.H * row.dk * row.dv) * 4;
    expect(stored <= 1.01 * (o + state), "o and the final state are written %.2f times", stored / (o + state));
  }
  if (!table) return;
  printf("| %s | %d | %d%s | %s | %.0f | %.2f | ", name, row.multiprocessors, (int)segments,
         row.segments ? " (forced)" : "", names.c_str(), launches, factor);
  if (mma > 0) printf("%.0f / %.0f | ", mma, needed);
  else printf("| ");
  if (worst > 0) printf("%.2f |\n", worst);
  else printf("|\n");
}

}  // namespace

int main(int argc, char **argv) {
  start_tests();
  const Emulator emulator = emulator_open();
  if (!emulated(&emulator)) {
    printf("only the emulated driver counts\n");
    return 0;
  }
  const bool table = argc > 1 && strcmp(argv[1], "--table") == 0;
  if (table) {
    printf(
        "| call | multiprocessors | segments | kernels | launches | bytes / least | mma / needed | bank conflicts |\n");
    printf("| --- | --- | --- | --- | --- | --- | --- | --- |\n");
  }
  for (const Row &row : kRows) check_row(row, table);
  return finish_tests();
}
