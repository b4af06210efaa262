/* Every CUDA kernel through leet_forward against the float64 recurrence: method x dtype x decay form x shape, under
 * every schedule that the emulated driver has. `kernels_test NAME` runs the methods whose name contains NAME. */
#include "emulator.h"
#include "judge.h"

namespace {

const char *const kMethod[] = {"auto", "vanilla", "recurrent", "block", "recursion", "lightning", "fleet", "flash"};
const char *const kDtype[] = {"f32", "f16", "bf16"};
const char *const kForm[] = {"none", "decay", "log_decay", "log_gates"};
const char *const kSchedule[] = {"forward", "reverse"};

enum Extra { DENSE, BNHD, STRIDED, IN_PLACE, NO_STATES, NO_INITIAL, NO_FINAL };

struct Shape {
  int64_t B, H, Hkv, N, dk, dv, S;
  Extra extra;
};

const Shape kShapes[] = {
    {1, 1, 1, 70, 16, 16, 0, DENSE},     {1, 2, 1, 65, 40, 24, 0, BNHD},      {2, 2, 2, 33, 32, 33, 0, STRIDED},
    {1, 2, 1, 130, 9, 17, 3, DENSE},     {1, 1, 1, 64, 64, 64, 0, IN_PLACE},  {1, 3, 3, 1, 20, 36, 0, IN_PLACE},
    {1, 2, 2, 7, 130, 70, 0, NO_STATES}, {1, 1, 1, 3, 200, 5, 0, NO_INITIAL}, {2, 1, 1, 0, 8, 8, 0, DENSE},
    {1, 1, 1, 195, 5, 3, 0, NO_FINAL},   {1, 1, 1, 12, 1, 1, 4, BNHD},        {1, 1, 1, 64, 128, 72, 0, BNHD},
};

/* Long enough to be cut in segments, and the widest heads. */
const Shape kFlashShapes[] = {
    {1, 2, 1, 700, 48, 20, 0, DENSE},    {1, 1, 1, 600, 32, 24, 0, IN_PLACE},  {1, 2, 1, 900, 33, 9, 3, BNHD},
    {2, 1, 1, 530, 9, 12, 0, STRIDED},   {1, 1, 1, 1030, 64, 8, 0, NO_STATES}, {1, 1, 1, 515, 128, 16, 0, NO_INITIAL},
    {1, 1, 1, 300, 256, 8, 0, IN_PLACE}, {1, 1, 1, 66, 256, 256, 0, DENSE},    {1, 2, 1, 97, 128, 130, 0, BNHD},
    {1, 1, 1, 520, 100, 130, 0, DENSE},  {1, 1, 1, 300, 64, 128, 0, IN_PLACE},
};

leet_params params_of(const Shape &s, int method, int dtype, int form) {
  leet_params p = shape_of(s.B, s.H, s.Hkv, s.N, s.dk, s.dv);
  p.S = s.S;
  p.method = method;
  p.dtype = dtype;
  p.decay_form = form;
  p.device = LEET_DEVICE_CUDA;
  if (s.extra == BNHD) p.layout = LEET_LAYOUT_BNHD;
  if (s.extra == STRIDED) { /* [B,N,H,d] with gaps after every axis; gates as [H,B,N] */
    const struct {
      int64_t *stride, heads, dim;
    } arrays[] = {{p.q_stride, s.H, s.dk + 3},
                  {p.k_stride, s.Hkv, s.dk},
                  {p.v_stride, s.Hkv, s.dv * 4},
                  {p.o_stride, s.H, s.dv + 1}};
    for (const auto &a : arrays) {
      a.stride[1] = a.dim;
      a.stride[2] = a.dim * a.heads + 5;
      a.stride[0] = a.stride[2] * s.N + 2;
    }
    p.gate_stride[0] = s.N;
    p.gate_stride[1] = s.N * s.B;
    p.gate_stride[2] = 1;
  }
  return p;
}

void name_test(const leet_params &p, const Shape &s, const char *schedule) {
  static char name[200];
  snprintf(name, sizeof name, "%s %s %s B=%d H=%d Hkv=%d N=%d dk=%d dv=%d S=%d extra=%d %s", kMethod[p.method],
           kDtype[p.dtype], kForm[p.decay_form], (int)s.B, (int)s.H, (int)s.Hkv, (int)s.N, (int)s.dk, (int)s.dv,
           (int)s.S, (int)s.extra, schedule);
  current_test = name;
}

/* Decays that matter: 1, 0, tiny and ordinary ones. */
void edge_decays(Call *c) {
  float *decay = (float *)c->array[DECAY].data;
  const size_t count = c->array[DECAY].bytes / 4;
  for (size_t i = 0; i < count; i += 5) {
    const size_t kind = (i / 5 + (size_t)c->p.N) % 4;
    if (c->p.decay_form == LEET_DECAY_FACTOR) {
      decay[i] = kind == 0 ? 0.96875f : kind == 1 ? 1 : kind == 2 ? 0 : 1e-30f;
    } else {
      decay[i] = kind == 0 ? -0.01f : kind == 1 ? 0 : kind == 2 ? -INFINITY : -80;
    }
  }
}

/* The states that tensor cores with 16-bit operands make are allowed more. */
bool rounds_state(const leet_params &p) { return p.method == LEET_METHOD_FLASH && p.dtype != LEET_F32 && p.N > 1; }

struct Outputs {
  unsigned char *o, *state;
};

void run_case(const Emulator &emulator, const Shape &s, int method, int dtype, int form) {
  const leet_params p = params_of(s, method, dtype, form);
  Outputs first = {nullptr, nullptr};
  for (const char *schedule : kSchedule) {
    if (!emulated(&emulator) && schedule != kSchedule[0]) break;
    name_test(p, s, schedule);
    emulator_set(&emulator, "SCHEDULE", schedule);
    Call c;
    call_new(&c, &p);
    edge_decays(&c);
    float *initial = (float *)malloc(c.array[STATE_IN].bytes + 1);
    if (initial == nullptr) exit(1);
    memcpy(initial, c.array[STATE_IN].data, c.array[STATE_IN].bytes);
    if (s.extra == NO_STATES || s.extra == NO_INITIAL) c.argument[STATE_IN] = nullptr;
    if (s.extra == NO_STATES || s.extra == NO_FINAL) c.argument[STATE_OUT] = nullptr;
    if (s.extra == IN_PLACE) c.argument[STATE_OUT] = c.argument[STATE_IN];
    leet_workspace_release(); /* fresh device memory, so that reads of what nobody wrote are seen */
    call_clear_outputs(&c);
    call_remember(&c);
    const leet_status status = call_forward(&c);
    expect(status == LEET_OK, "status %d: %s", (int)status, c.p.message);
    expect(c.p.method_used == method, "ran method %d", (int)c.p.method_used);
    if (status == LEET_OK) {
      const double exact[2] = {2e-6, 2e-6}, rounded[2] = {4e-3, 5e-4};
      Score o, state;
      judge(&c, c.argument[STATE_IN] ? initial : nullptr, rounds_state(p) ? rounded : exact, &o, &state);
      expect(o.element <= 1, "o: %g of the allowed error per element", o.element);
      expect(o.overall <= 1, "o: %g of the allowed error overall", o.overall);
      expect(state.element <= 1, "final_state: %g of the allowed error per element", state.element);
      expect(state.overall <= 1, "final_state: %g of the allowed error overall", state.overall);
    }
    for (int i = 0; i < ARRAYS; i++) {
      const bool written = i == OUT || (i == STATE_OUT && s.extra != IN_PLACE && c.argument[STATE_OUT]) ||
                           (i == STATE_IN && s.extra == IN_PLACE);
      if (!written) expect(array_unchanged(&c.array[i]), "array %d changed", i);
      expect(array_guarded(&c.array[i]), "the guard of array %d changed", i);
    }
    if (s.extra == STRIDED) {
      const unsigned char *o = (const unsigned char *)c.array[OUT].data;
      int64_t stride[3];
      strides_of(&p, p.o_stride, p.H, p.dv, stride);
      expect(memcmp(o + p.dv * (int64_t)element_bytes(&p), (const void *)"\xa5\xa5", 2) == 0, "a gap of o changed");
      expect(o[(stride[2] - 1) * (int64_t)element_bytes(&p)] == kGuard, "the gap after a token of o changed");
    }
    if (schedule == kSchedule[0]) {
      first.o = (unsigned char *)malloc(c.array[OUT].bytes + 1);
      if (first.o == nullptr) exit(1);
      memcpy(first.o, c.array[OUT].data, c.array[OUT].bytes);
    } else {
      expect(memcmp(first.o, c.array[OUT].data, c.array[OUT].bytes) == 0, "o differs between schedules");
    }
    free(initial);
    call_free(&c);
  }
  free(first.o);
}

}  // namespace

int main(int argc, char **argv) {
  start_tests();
  const Emulator emulator = emulator_open();
  emulator_set(&emulator, "CHECKS", "on");
  for (int method = LEET_METHOD_VANILLA; method <= LEET_METHOD_FLASH; method++) {
    if (argc > 1 && strstr(kMethod[method], argv[1]) == nullptr) continue;
    for (const Shape &s : kShapes) {
      for (int dtype = LEET_F32; dtype <= LEET_BF16; dtype++) {
        for (int form = LEET_DECAY_NONE; form <= LEET_DECAY_LOG_GATES; form++)
          run_case(emulator, s, method, dtype, form);
      }
    }
    if (method != LEET_METHOD_FLASH) continue;
    for (const Shape &s : kFlashShapes) {
      for (int dtype = LEET_F32; dtype <= LEET_BF16; dtype++) {
        for (int form = LEET_DECAY_NONE; form <= LEET_DECAY_LOG_GATES; form++)
          run_case(emulator, s, method, dtype, form);
      }
    }
  }
  return finish_tests();
}
