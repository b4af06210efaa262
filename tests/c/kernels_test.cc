/* Every CPU method against a float64 recurrence of its own: all dtypes, decay forms, layouts, head groupings, states,
 * ragged batches and awkward shapes; determinism; splits in time; long and ill-conditioned sums; what is not finite.
 * One argument n: only every n-th of the larger sweeps, for slow (instrumented) builds. */
#include <time.h>

#include <cmath>

#include "kernels_case.h"

namespace {

const char *const kMethodNames[] = {"auto",      "vanilla",   "recurrent", "block",
                                    "recursion", "lightning", "fleet",     "flash"};
const int kMethods = LEET_METHOD_FLASH;

int every = 1;
double worst[kMethods + 1][3], worst_state[kMethods + 1]; /* by method and dtype, in units of what is allowed */
char test_name[256];

void name_test(const char *what, const Spec &s, int method) {
  snprintf(test_name, sizeof test_name,
           "%s: %s B=%d H=%d Hkv=%d N=%d dk=%d dv=%d S=%d dtype=%d form=%d layout=%d states=%d%d%d values=%d decay=%g "
           "constant=%g seed=%d",
           what, kMethodNames[method], (int)s.B, (int)s.H, (int)s.Hkv, (int)s.N, (int)s.dk, (int)s.dv, (int)s.sequences,
           s.dtype, s.form, s.layout, s.initial, s.final, s.in_place, s.values, s.decay, s.constant, (int)s.seed);
  current_test = test_name;
}

void judge(const Case &c, const Outputs &outputs, int method) {
  const Verdict v = case_judge(c, outputs);
  expect(v.o <= 1, "o is off by %.3g of what is allowed", v.o);
  expect(v.state <= 1, "final_state is off by %.3g of what is allowed", v.state);
  expect(v.stray == 0, "%lld bytes beside the outputs changed", (long long)v.stray);
  expect(v.infinite == 0, "%lld elements are finite that should not be", (long long)v.infinite);
  double &o = worst[method][c.spec.dtype];
  if (v.o > o) o = v.o;
  if (v.state > worst_state[method]) worst_state[method] = v.state;
}

/* One method: right on one thread, and the same bits on `threads` threads and when run again. */
void check_method(Case *c, const char *what, int method, int threads) {
  name_test(what, c->spec, method);
  Outputs first, next;
  const leet_status status = case_run(c, method, 1, &first);
  expect(status == LEET_OK, "status %d: %s", status, c->p.message);
  if (status != LEET_OK) return;
  expect(c->p.method_used == method, "method_used is %d", c->p.method_used);
  judge(*c, first, method);
  for (int n = threads; n >= 1; n--) { /* down to 1: the same call again */
    expect(case_run(c, method, n, &next) == LEET_OK, "%d threads: %s", n, c->p.message);
    expect(first.o == next.o && first.state == next.state, "%d threads: other bits", n);
  }
}

void check(const char *what, const Spec &s, int threads) {
  Case c;
  case_new(&c, s);
  case_solve(&c);
  for (int method = 1; method <= kMethods; method++) check_method(&c, what, method, threads);
  case_free(&c);
}

/* All combinations of dtype, decay form, layout, heads, states and raggedness at one awkward shape. */
void combinations() {
  const int64_t groups[] = {6, 3, 1};
  int number = 0;
  Spec s;
  s.dk = 17, s.dv = 20, s.H = 6;
  for (s.dtype = LEET_F32; s.dtype <= LEET_BF16; s.dtype++) {
    for (s.form = LEET_DECAY_NONE; s.form <= LEET_DECAY_LOG_GATES; s.form++) {
      for (s.layout = 0; s.layout < kLayouts; s.layout++) {
        for (int64_t group : groups) {
          for (int states = 0; states < 5; states++) {
            for (int ragged = 0; ragged < 2; ragged++) {
              if (number++ % every) continue;
              s.Hkv = group;
              s.initial = states & 1 || states == 4;
              s.final = states & 2 || states == 4;
              s.in_place = states == 4;
              s.sequences = ragged ? 5 : 0;
              s.B = ragged ? 1 : 2;
              s.N = ragged ? 120 : 50;
              s.seed = (uint64_t)number;
              check("combination", s, number % 4 ? 1 : 3);
            }
          }
        }
      }
    }
  }
}

/* Every length, with head dimensions and the rest going round. */
void lengths() {
  const int64_t lengths[] = {0, 1, 2, 3, 4, 5, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 129, 193, 500, 1000};
  const int64_t dims[][2] = {{16, 16}, {64, 64}, {60, 33}, {1, 100}, {100, 1}, {31, 17}, {128, 64}};
  int number = 0;
  for (int64_t N : lengths) {
    for (const auto &d : dims) {
      for (int dtype = LEET_F32; dtype <= LEET_BF16; dtype++) {
        if (number++ % every || (N == 1000 && d[0] + d[1] > 80)) continue;
        Spec s;
        s.H = 3, s.Hkv = 3 - 2 * (number % 2), s.N = N, s.dk = d[0], s.dv = d[1], s.dtype = dtype;
        s.form = number / 2 % 4, s.layout = number / 3 % kLayouts;
        s.initial = number % 3, s.final = number % 5, s.in_place = s.initial && s.final && number % 2;
        s.seed = (uint64_t)number;
        check("length", s, number % 4 ? 2 : 3);
      }
    }
  }
}

/* Every pair of head dimensions. */
void dimensions() {
  const int64_t dims[] = {1, 3, 8, 15, 16, 17, 31, 32, 33, 60, 64, 96, 100, 128, 200, 256, 512};
  int number = 0;
  for (int64_t dk : dims) {
    for (int64_t dv : dims) {
      if (number++ % every) continue;
      Spec s;
      s.H = dk * dv > 20000 ? 1 : 2, s.Hkv = s.H, s.N = dk * dv > 20000 ? 37 : number % 3 == 0 ? 3 : 53;
      s.dk = dk, s.dv = dv, s.dtype = number % 3, s.form = number / 2 % 4, s.layout = number % kLayouts;
      s.seed = (uint64_t)number;
      check("dimension", s, 2);
    }
  }
}

/* Sums in which float32 drifts: equal terms with decays near 1, and single terms that decay over many tokens. */
void long_sums() {
  const float decays[] = {1.0f, 0.99999994f, 0.9999f, 0.99f};
  const float constants[] = {0.3f, 0.7f, 0.1f, 1.0f / 3};
  int number = 0;
  for (float decay : decays) {
    for (int kind = 0; kind < 3; kind++) { /* factor, logarithm or gates, impulses */
      if (number++ % every) continue;
      Spec s;
      s.H = 1, s.Hkv = 1, s.N = 65536, s.dk = 3, s.dv = 5, s.decay = decay, s.constant = constants[number % 4];
      s.form = kind == 0 ? LEET_DECAY_FACTOR : number % 2 ? LEET_DECAY_LOG : LEET_DECAY_LOG_GATES;
      s.values = kind == 2 ? IMPULSE : CONSTANT;
      s.initial = number % 2, s.seed = (uint64_t)number;
      if (kind == 2) s.form = LEET_DECAY_LOG, s.log_decay = badly_rounded(decay);
      Case c;
      case_new(&c, s);
      case_solve(&c);
      for (int method = LEET_METHOD_VANILLA + 1; method <= kMethods; method++)
        check_method(&c, "long", method, method == LEET_METHOD_FLASH ? 2 : 1);
      case_free(&c);
      s.N = 9001; /* quadratic */
      case_new(&c, s);
      case_solve(&c);
      check_method(&c, "long", LEET_METHOD_VANILLA, 2);
      case_free(&c);
    }
  }
}

/* Long sums over the key dimension, and a decay applied token by token whose rounding would add up. */
void wide_sums() {
  const float constants[] = {0.3f, 0.7f, 0.1f, 1.0f / 3, 0.9f};
  for (int i = 0; i<5; i += every> 1 ? 2 : 1) {
    Spec s;
    s.H = 1, s.Hkv = 1, s.N = 300, s.dk = 512, s.dv = 9, s.values = CONSTANT, s.constant = constants[i];
    s.form = i % 4, s.decay = 0.995f;
    check("wide", s, 2);
    s.dk = 8, s.N = 700, s.form = LEET_DECAY_LOG, s.values = IMPULSE,
    s.log_decay = badly_rounded(constants[i] * 0.45f + 0.53f);
    check("impulse", s, 2);
  }
}

/* Tokens first .. first+count-1 of a dense bhnd case, with the states of another. */
Case part_of(const Case &whole, int64_t first, int64_t count, const Outputs *before) {
  Spec s = whole.spec;
  s.N = count;
  s.initial = true;
  Case part;
  case_new(&part, s);
  const size_t element = element_bytes(&part.p);
  const auto copy = [&](const Array &to, const Array &from, int64_t heads, int64_t dim, size_t bytes) {
    for (int64_t i = 0; i < s.B * heads; i++) {
      memcpy((char *)to.data + (size_t)(i * count * dim) * bytes,
             (const char *)from.data + (size_t)((i * whole.spec.N + first) * dim) * bytes,
             (size_t)(count * dim) * bytes);
    }
  };
  copy(part.q_data, whole.q_data, s.H, s.dk, element);
  copy(part.k_data, whole.k_data, s.Hkv, s.dk, element);
  copy(part.v_data, whole.v_data, s.Hkv, s.dv, element);
  if (s.form == LEET_DECAY_LOG_GATES) copy(part.decay, whole.decay, s.H, 1, 4);
  memcpy(part.initial.data, before ? before->state.data() : whole.initial.data, part.initial.bytes);
  part.p.scale = whole.p.scale;
  return part;
}

/* The whole case in pieces of `cut` tokens, -1 = the rest, each from the state that the one before left. */
void check_split(const Case &whole, const int64_t *cut, int method) {
  const Spec &s = whole.spec;
  name_test("split", s, method);
  Outputs joined, piece;
  joined.o.assign(whole.out.bytes, kPoison);
  int64_t first = 0;
  for (int i = 0; first < s.N; i++) {
    const int64_t count = cut[i] < 0 ? s.N - first : cut[i];
    Case part = part_of(whole, first, count, i ? &piece : nullptr);
    const leet_status status = case_run(&part, method, 2, &piece);
    expect(status == LEET_OK, "status %d: %s", status, part.p.message);
    const size_t bytes = element_bytes(&part.p) * (size_t)s.dv;
    for (int64_t h = 0; h < s.B * s.H; h++) {
      memcpy(joined.o.data() + (size_t)(h * s.N + first) * bytes, piece.o.data() + (size_t)(h * count) * bytes,
             (size_t)count * bytes);
    }
    case_free(&part);
    first += count;
  }
  joined.state = piece.state;
  judge(whole, joined, method);
}

/* A prompt in pieces gives what it gives at once, outputs and states, and so do decode steps after it. */
void splits() {
  const int64_t cuts[][6] = {{100, -1}, {32, 1, 96, -1}, {47, 49, 65, 3, -1}, {1, 1, 1, 1, 2, -1}};
  int number = 0;
  for (const auto &cut : cuts) {
    for (int form = LEET_DECAY_NONE; form <= LEET_DECAY_LOG_GATES; form++) {
      Spec s;
      s.H = 6, s.Hkv = 3, s.N = 200, s.dk = 33, s.dv = 40, s.form = form, s.dtype = number % 3;
      s.seed = (uint64_t)++number;
      Case whole;
      case_new(&whole, s);
      case_solve(&whole);
      for (int method = 1; method <= kMethods; method++) check_split(whole, cut, method);
      case_free(&whole);
    }
  }
}

/* 2,000 decode steps in place keep the decay exact. */
void decode_steps() {
  for (int method = 1; method <= kMethods; method++) {
    Spec s;
    s.H = 1, s.Hkv = 1, s.N = 1, s.dk = 4, s.dv = 33, s.in_place = true, s.form = LEET_DECAY_LOG,
    s.log_decay = badly_rounded(0.9973f);
    name_test("decode", s, method);
    Case c;
    case_new(&c, s);
    memset(c.k_data.data, 0, c.k_data.bytes);
    const std::vector<unsigned char> start((unsigned char *)c.initial.data,
                                           (unsigned char *)c.initial.data + c.initial.bytes);
    Outputs outputs;
    const int steps = 2000;
    for (int i = 0; i < steps; i++) {
      if (case_run(&c, method, 1, &outputs) != LEET_OK) expect(false, "step %d: %s", i, c.p.message);
      memcpy(c.initial.data, outputs.state.data(), c.initial.bytes);
    }
    const double decayed = exp((double)*(const float *)c.decay.data * steps);
    double off = 0;
    for (size_t i = 0; i < start.size() / 4; i++) {
      const double exact = (double)((const float *)start.data())[i] * decayed;
      const double error = fabs(((const float *)outputs.state.data())[i] - exact);
      if (!(error <= off * fabs(exact))) off = error / fabs(exact);
    }
    /* each step rounds the state once, to 2^-24 at most; at random that is some 2e-6 in all */
    if (method == LEET_METHOD_RECURRENT) expect(off <= 8e-6, "state off by %g", off);
    case_free(&c);
  }
}

/* An infinity or NaN reaches the tokens, columns and heads that it reaches in the recurrence, all of them and no other.
 */
void not_finite() {
  const float values[] = {INFINITY, -INFINITY, NAN};
  const int64_t tokens[] = {0, 1, 17, 40, 64, 97, 129};
  int number = 0;
  for (int where = 0; where < 4; where++) { /* q, k, v, initial state */
    for (int64_t token : tokens) {
      for (float value : values) {
        for (int form = LEET_DECAY_NONE; form <= LEET_DECAY_LOG_GATES; form++) {
          if (number++ % every) continue;
          Spec s;
          s.H = 6, s.Hkv = 6, s.N = 150, s.dk = 19, s.dv = 37, s.form = form, s.dtype = number % 3;
          s.seed = (uint64_t)number;
          Case c;
          case_new(&c, s);
          Array *arrays[] = {&c.q_data, &c.k_data, &c.v_data, &c.initial};
          const int64_t head = number % s.H, dim = where == 2 ? s.dv : s.dk;
          const int64_t at = where == 3 ? head * s.dk * s.dv + token : (head * s.N + token) * dim + number % dim;
          uint32_t bits;
          memcpy(&bits, &value, 4);
          if (where == 3 || s.dtype == LEET_F32) {
            ((float *)arrays[where]->data)[at] = value;
          } else if (s.dtype == LEET_BF16) {
            ((uint16_t *)arrays[where]->data)[at] = (uint16_t)(bits >> 16);
          } else {
            ((uint16_t *)arrays[where]->data)[at] =
                (uint16_t)((bits >> 16 & 0x8000) | (value == value ? 0x7c00 : 0x7e00));
          }
          case_solve(&c);
          const char *const what[] = {"not finite q", "not finite k", "not finite v", "not finite state"};
          for (int method = 1; method <= kMethods; method++) check_method(&c, what[where], method, 1 + number % 2);
          case_free(&c);
        }
      }
    }
  }
}

/* A state that is infinite stays so, and is no NaN, as long as its decay has not underflowed. */
void infinite_states() {
  for (int method = 1; method <= kMethods; method++) {
    for (int64_t N = 0; N <= 100; N += N < 4 ? 1 : 96) {
      for (float value : {INFINITY, -INFINITY}) {
        Spec s;
        s.H = 3, s.Hkv = 1, s.N = N, s.dk = 20, s.dv = 40, s.form = N % 2 ? LEET_DECAY_FACTOR : LEET_DECAY_LOG;
        name_test("infinite state", s, method);
        Case c;
        case_new(&c, s);
        const int64_t row = 3, column = 5;
        for (int64_t h = 0; h < s.H; h++) ((float *)c.initial.data)[(h * s.dk + row) * s.dv + column] = value;
        case_solve(&c);
        Outputs outputs;
        const leet_status status = case_run(&c, method, 1, &outputs);
        expect(status == LEET_OK, "status %d: %s", status, c.p.message);
        judge(c, outputs, method);
        long wrong = 0;
        for (int64_t h = 0; h < s.H; h++) {
          wrong += ((const float *)outputs.state.data())[(h * s.dk + row) * s.dv + column] != value;
          for (int64_t t = 0; t < N; t++) {
            const float query = ((const float *)c.q_data.data)[(h * N + t) * s.dk + row] * (float)c.p.scale;
            wrong += ((const float *)outputs.o.data())[(h * N + t) * s.dv + column] != query * value && query != 0;
          }
        }
        expect(wrong == 0, "%ld elements are not the infinity they should be", wrong);
        case_free(&c);
      }
    }
  }
}

/* f16 results beyond its range are infinities of the right sign. */
void f16_range() {
  for (int method = 1; method <= kMethods; method++) {
    for (int64_t N = 1; N <= 70; N += 23) {
      Spec s;
      s.H = 2, s.Hkv = 2, s.N = N, s.dk = 16, s.dv = 24, s.dtype = LEET_F16, s.form = LEET_DECAY_NONE;
      s.values = CONSTANT, s.constant = 1.5f, s.initial = false;
      name_test("f16 range", s, method);
      Case c;
      case_new(&c, s);
      for (size_t i = 0; i < c.v_data.bytes / 2; i++) {
        ((uint16_t *)c.v_data.data)[i] = i % 24 < 8 ? 0x7800 : i % 24 < 16 ? 0xf800 : 0; /* 32768, -32768, 0 */
      }
      Outputs outputs;
      const leet_status status = case_run(&c, method, 1, &outputs);
      expect(status == LEET_OK, "status %d: %s", status, c.p.message);
      long wrong = 0;
      for (size_t i = 0; i < outputs.o.size() / 2; i++) {
        const uint16_t bits = ((const uint16_t *)outputs.o.data())[i];
        const bool positive = (c.p.scale > 0) == (i % 24 < 8);
        wrong += i % 24 >= 16 ? (bits & 0x7fff) != 0 : bits != (positive ? 0x7c00 : 0xfc00);
      }
      expect(wrong == 0, "%ld wrong elements", wrong);
      case_free(&c);
    }
  }
}

}  // namespace

int main(int count, char **arguments) {
  start_tests();
  alarm(1200); /* a hang is a failure */
  if (count > 1) every = atoi(arguments[1]);
  leet_device_info device;
  device.struct_size = sizeof device;
  if (leet_device_get(0, &device) != LEET_OK || every < 1) return 1;
  const char *wanted = getenv("LEET_CPU_ISA");
  expect(wanted == nullptr || wanted[0] == 0 || strcmp(wanted, device.isa) == 0, "runs %s, not %s", device.isa, wanted);

  const struct {
    const char *name;
    void (*run)();
  } tests[] = {{"combinations", combinations}, {"lengths", lengths},       {"dimensions", dimensions},
               {"long sums", long_sums},       {"wide sums", wide_sums},   {"splits", splits},
               {"decode steps", decode_steps}, {"not finite", not_finite}, {"infinite states", infinite_states},
               {"f16 range", f16_range}};
  for (const auto &test : tests) {
    const long before = failed;
    timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    test.run();
    clock_gettime(CLOCK_MONOTONIC, &end);
    const double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
    printf("%s, %s: %s, %.1f s\n", device.isa, test.name, failed == before ? "ok" : "FAILED", seconds);
  }
  printf("largest error in units of what is allowed (f32, f16, bf16; state):\n");
  for (int m = 1; m <= kMethods; m++) {
    printf("  %-10s %.3f %.3f %.3f  %.3f\n", kMethodNames[m], worst[m][0], worst[m][1], worst[m][2], worst_state[m]);
  }
  return finish_tests();
}
