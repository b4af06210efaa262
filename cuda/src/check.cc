#include "check.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

namespace leet {

namespace {

/* sizeof(leet_params) in each version of the header. */
const uint32_t kParamsSizes[] = {offsetof(leet_params, stream), offsetof(leet_params, device_used),
                                 sizeof(leet_params)};

const int64_t kMaxHeadDim = 512;
const int kMaxThreads = 1024;

/* [outer..inner] sizes and strides of one strided array whose innermost axis is contiguous. */
struct Extent {
  const char *name;
  int64_t size[4];
  int64_t stride[4];
};

/* Elements from the first to one past the last, or -1 when that does not fit. */
int64_t reach(const Extent &e) {
  int64_t last = 0;
  for (int i = 0; i < 4; i++) {
    if (e.size[i] == 0) return 0;
    int64_t step;
    if (__builtin_mul_overflow(e.size[i] - 1, e.stride[i], &step) || __builtin_add_overflow(last, step, &last))
      return -1;
  }
  return last == INT64_MAX ? -1 : last + 1;
}

Extent extent(const char *name, int64_t batch, int64_t heads, int64_t tokens, int64_t dim, const Strides &s) {
  return {name, {batch, heads, tokens, dim}, {s.batch, s.head, s.time, 1}};
}

/* True when two index tuples of the array may meet in one element: sorted by stride, each axis must step over all
 * that lies inside it. */
bool self_overlaps(const Extent &e) {
  if (reach(e) == 0) return false;
  int order[4] = {0, 1, 2, 3};
  for (int i = 0; i < 4; i++) {
    for (int j = i + 1; j < 4; j++) {
      if (e.stride[order[j]] < e.stride[order[i]]) {
        int swap = order[i];
        order[i] = order[j];
        order[j] = swap;
      }
    }
  }
  int64_t inside = 1;
  for (int i = 0; i < 4; i++) {
    const int axis = order[i];
    if (e.size[axis] <= 1) continue;
    if (e.stride[axis] < inside) return true;
    inside += (e.size[axis] - 1) * e.stride[axis];
  }
  return false;
}

leet_status resolve_strides(leet_params *p, const char *name, const int64_t given[3], int64_t heads, int64_t dim,
                            Strides *out) {
  if (given[0] == 0 && given[1] == 0 && given[2] == 0) {
    if (p->layout == LEET_LAYOUT_BHND) {
      *out = {heads * p->N * dim, p->N * dim, dim};
    } else {
      *out = {p->N * heads * dim, dim, heads * dim};
    }
    return LEET_OK;
  }
  static const char *const axis[3] = {"batch", "head", "time"};
  for (int i = 0; i < 3; i++) {
    if (given[i] < 0) {
      return refuse(p, LEET_INVALID_STRIDE, "%s_stride[%d] (%s): expected >= 0, got %lld", name, i, axis[i],
                    (long long)given[i]);
    }
  }
  *out = {given[0], given[1], given[2]};
  return LEET_OK;
}

leet_status check_one_extent(leet_params *p, const Extent &e, int bytes_per_element, uint64_t stated) {
  int64_t elements = reach(e), bytes;
  if (elements < 0 || __builtin_mul_overflow(elements, (int64_t)bytes_per_element, &bytes)) {
    return refuse(p, LEET_SIZE_OVERFLOW, "%s: its size in bytes does not fit 63 bits", e.name);
  }
  if (stated != 0 && (uint64_t)elements > stated) {
    return refuse(p, LEET_INVALID_LENGTH, "%s: expected at least %lld elements for its shape and strides, got %llu",
                  e.name, (long long)elements, (unsigned long long)stated);
  }
  return LEET_OK;
}

/* Half-open byte range of an array. */
struct Range {
  const char *name;
  uintptr_t begin, end;
};

/* Arrays without elements meet nothing, wherever they are. */
bool meet(const Range &a, const Range &b) {
  return a.begin < a.end && b.begin < b.end && a.begin < b.end && b.begin < a.end;
}

leet_status check_decay_values(leet_params *p, const Problem &x) {
  if (x.decay_form == LEET_DECAY_NONE) return LEET_OK;
  if (x.decay_form != LEET_DECAY_LOG_GATES) {
    for (int64_t h = 0; h < x.H; h++) {
      const float a = x.decay[h];
      const bool good = x.decay_form == LEET_DECAY_FACTOR ? (a >= 0.0f && a <= 1.0f) : a <= 0.0f;
      if (!good) {
        return refuse(p, LEET_INVALID_DECAY, "%s[%lld]: expected %s, got %g",
                      x.decay_form == LEET_DECAY_FACTOR ? "decay" : "log_decay", (long long)h,
                      x.decay_form == LEET_DECAY_FACTOR ? "a factor in [0,1]" : "a logarithm <= 0", (double)a);
      }
    }
    return LEET_OK;
  }
  if (x.N == 0) return LEET_OK; /* and no walk over rows that may be many */
  for (int64_t b = 0; b < x.B; b++) {
    for (int64_t h = 0; h < x.H; h++) {
      const float *gate = x.decay + b * x.gates.batch + h * x.gates.head;
      for (int64_t t = 0; t < x.N; t++) {
        const float g = gate[t * x.gates.time];
        if (!(g <= 0.0f)) {
          return refuse(p, LEET_INVALID_DECAY, "log_gates[%lld,%lld,%lld] (batch, head, time): expected <= 0, got %g",
                        (long long)b, (long long)h, (long long)t, (double)g);
        }
      }
    }
  }
  return LEET_OK;
}

leet_status check_cu_seqlens(leet_params *p, const Problem &x, const int64_t *cu) {
  if (cu[0] != 0) return refuse(p, LEET_INVALID_CU_SEQLENS, "cu_seqlens[0]: expected 0, got %lld", (long long)cu[0]);
  for (int64_t s = 0; s < p->S; s++) {
    if (cu[s + 1] < cu[s]) {
      return refuse(p, LEET_INVALID_CU_SEQLENS, "cu_seqlens[%lld]: expected >= %lld, got %lld", (long long)(s + 1),
                    (long long)cu[s], (long long)cu[s + 1]);
    }
  }
  if (cu[p->S] != x.N) {
    return refuse(p, LEET_INVALID_CU_SEQLENS, "cu_seqlens[%lld]: expected N = %lld, got %lld", (long long)p->S,
                  (long long)x.N, (long long)cu[p->S]);
  }
  return LEET_OK;
}

leet_status check_dims(leet_params *p) {
  const struct {
    const char *name;
    int64_t value, least;
  } dims[] = {{"B", p->B, 0},   {"H", p->H, 1},   {"Hkv", p->Hkv, 1},        {"N", p->N, 0},
              {"dk", p->dk, 1}, {"dv", p->dv, 1}, {"S (sequences)", p->S, 0}};
  for (const auto &d : dims) {
    if (d.value < d.least) {
      return refuse(p, LEET_INVALID_SHAPE, "%s: expected >= %lld, got %lld", d.name, (long long)d.least,
                    (long long)d.value);
    }
  }
  if (p->dk > kMaxHeadDim || p->dv > kMaxHeadDim) {
    const bool key = p->dk > kMaxHeadDim;
    return refuse(p, LEET_UNSUPPORTED_SHAPE, "%s: expected at most %lld, got %lld", key ? "dk" : "dv",
                  (long long)kMaxHeadDim, (long long)(key ? p->dk : p->dv));
  }
  if (p->H % p->Hkv != 0) {
    return refuse(p, LEET_INVALID_SHAPE, "Hkv: expected a divisor of H = %lld, got %lld", (long long)p->H,
                  (long long)p->Hkv);
  }
  if (p->S > 0 && p->B != 1) {
    return refuse(p, LEET_INVALID_CU_SEQLENS, "B: expected 1 with cu_seqlens, got %lld", (long long)p->B);
  }
  int64_t total = 8; /* bytes of the largest dense array, so that no later product overflows */
  const int64_t factors[] = {p->B > p->S ? p->B : p->S, p->H, p->N > kMaxHeadDim ? p->N : kMaxHeadDim, kMaxHeadDim};
  for (int64_t f : factors) {
    if (__builtin_mul_overflow(total, f > 0 ? f : 1, &total)) {
      return refuse(p, LEET_SIZE_OVERFLOW, "B, H, N, dk, dv, S: the size of an array in bytes does not fit 63 bits");
    }
  }
  return LEET_OK;
}

leet_status check_codes(leet_params *p) {
  if (p->method < LEET_METHOD_AUTO || p->method > LEET_METHOD_FLASH) {
    return refuse(p, LEET_INVALID_METHOD, "method: expected 0..%d, got %d", LEET_METHOD_FLASH, p->method);
  }
  if (p->device < LEET_DEVICE_AUTO || p->device > LEET_DEVICE_CUDA) {
    return refuse(p, LEET_INVALID_DEVICE, "device: expected 0 (auto), 1 (cpu) or 2 (cuda), got %d", p->device);
  }
  if (p->device_index < 0 || (p->device != LEET_DEVICE_CUDA && p->device_index != 0)) {
    return refuse(p, LEET_INVALID_DEVICE, "device_index: expected %s, got %d",
                  p->device == LEET_DEVICE_CUDA ? ">= 0" : "0", p->device_index);
  }
  if (p->dtype < LEET_F32 || p->dtype > LEET_BF16) {
    return refuse(p, LEET_INVALID_DTYPE, "dtype: expected 0 (f32), 1 (f16) or 2 (bf16), got %d", p->dtype);
  }
  if (p->decay_form < LEET_DECAY_NONE || p->decay_form > LEET_DECAY_LOG_GATES) {
    return refuse(p, LEET_INVALID_DECAY, "decay_form: expected 0..%d, got %d", LEET_DECAY_LOG_GATES, p->decay_form);
  }
  if (p->layout < LEET_LAYOUT_BHND || p->layout > LEET_LAYOUT_BNHD) {
    return refuse(p, LEET_INVALID_LAYOUT, "layout: expected 0 (bhnd) or 1 (bnhd), got %d", p->layout);
  }
  if (p->threads < 0 || p->threads > kMaxThreads) {
    return refuse(p, LEET_INVALID_THREADS, "threads: expected 0..%d, got %d", kMaxThreads, p->threads);
  }
  const uint32_t known = LEET_FLAG_DEVICE_POINTERS | LEET_FLAG_HOST_DECAY;
  if (p->flags != LEET_FLAG_MODEL_H100 && ((p->flags & ~known) || p->flags == LEET_FLAG_HOST_DECAY)) {
    return refuse(p, LEET_INVALID_FLAGS,
                  "flags: expected 0 or LEET_FLAG_DEVICE_POINTERS (1), alone or with LEET_FLAG_HOST_DECAY (2), got %u",
                  p->flags);
  }
  if (p->flags != 0 && p->device != LEET_DEVICE_CUDA) {
    return refuse(p, LEET_INVALID_DEVICE, "device: expected 2 (cuda) with LEET_FLAG_%s, got %d",
                  p->flags == LEET_FLAG_MODEL_H100 ? "MODEL_H100" : "DEVICE_POINTERS", p->device);
  }
  if (LEET_HAS(p, stream) && p->stream != 0 && (p->flags & LEET_FLAG_DEVICE_POINTERS) == 0) {
    return refuse(p, LEET_INVALID_FLAGS, "stream: expected 0 without LEET_FLAG_DEVICE_POINTERS, got %#llx",
                  (unsigned long long)p->stream);
  }
  if (!(fabs(p->scale) <= FLT_MAX)) {
    return refuse(p, LEET_INVALID_SCALE, "scale: expected a finite number within the range of float32, got %g",
                  p->scale);
  }
  return LEET_OK;
}

bool known_size(uint32_t size) {
  for (uint32_t known : kParamsSizes) {
    if (size == known) return true;
  }
  return false;
}

int64_t state_elements(const Problem &x) { return x.sequences * x.H * x.dk * x.dv; }

}  // namespace

leet_status refuse(leet_params *p, leet_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  vsnprintf(p->message, sizeof p->message, format, args);
  va_end(args);
  return status;
}

void report_used(leet_params *p, int method, int device, int index) {
  p->method_used = method;
  if (!LEET_HAS(p, device_index_used)) return;
  p->device_used = device;
  p->device_index_used = index;
}

leet_status check_params(leet_params *p, Problem *x) {
  if (p == nullptr) return LEET_INVALID_POINTER;
  if (!known_size(p->struct_size)) return LEET_INVALID_STRUCT_SIZE;
  p->message[0] = 0;
  report_used(p, LEET_METHOD_AUTO, LEET_DEVICE_AUTO, 0);
  leet_status status = check_codes(p);
  if (status == LEET_OK) status = check_dims(p);
  if (status != LEET_OK) return status;

  x->method = p->method;
  x->dtype = p->dtype;
  x->decay_form = p->decay_form;
  x->threads = p->threads;
  x->scale = p->scale;
  x->on_device = (p->flags & (LEET_FLAG_DEVICE_POINTERS | LEET_FLAG_MODEL_H100)) != 0;
  x->host_decay = (p->flags & LEET_FLAG_HOST_DECAY) != 0;
  x->stream = LEET_HAS(p, stream) ? p->stream : 0;
  x->B = p->B;
  x->H = p->H;
  x->Hkv = p->Hkv;
  x->N = p->N;
  x->dk = p->dk;
  x->dv = p->dv;
  x->sequences = p->S > 0 ? p->S : p->B;

  status = resolve_strides(p, "q", p->q_stride, p->H, p->dk, &x->q);
  if (status == LEET_OK) status = resolve_strides(p, "k", p->k_stride, p->Hkv, p->dk, &x->k);
  if (status == LEET_OK) status = resolve_strides(p, "v", p->v_stride, p->Hkv, p->dv, &x->v);
  if (status == LEET_OK) status = resolve_strides(p, "o", p->o_stride, p->H, p->dv, &x->o);
  if (status == LEET_OK) status = resolve_strides(p, "gate", p->gate_stride, p->H, 1, &x->gates);
  if (status != LEET_OK) return status;

  const int bytes = dtype_bytes(p->dtype);
  const Extent o = extent("o", x->B, x->H, x->N, x->dv, x->o);
  status = check_one_extent(p, extent("q", x->B, x->H, x->N, x->dk, x->q), bytes, p->q_len);
  if (status == LEET_OK) {
    status = check_one_extent(p, extent("k", x->B, x->Hkv, x->N, x->dk, x->k), bytes, p->k_len);
  }
  if (status == LEET_OK) {
    status = check_one_extent(p, extent("v", x->B, x->Hkv, x->N, x->dv, x->v), bytes, p->v_len);
  }
  if (status == LEET_OK) status = check_one_extent(p, o, bytes, p->o_len);
  if (status != LEET_OK) return status;
  if (self_overlaps(o)) {
    return refuse(p, LEET_INVALID_STRIDE, "o_stride: two output elements share one place in memory");
  }
  const int64_t state = state_elements(*x);
  const Strides whole = {state, state, state};
  Extent states = extent("initial_state", 1, 1, 1, state, whole);
  status = check_one_extent(p, states, 4, p->initial_state_len);
  states.name = "final_state";
  if (status == LEET_OK) status = check_one_extent(p, states, 4, p->final_state_len);
  if (status != LEET_OK) return status;
  if (p->decay_form == LEET_DECAY_LOG_GATES) {
    return check_one_extent(p, extent("log_gates", x->B, x->H, x->N, 1, x->gates), 4, p->decay_len);
  }
  if (p->decay_form != LEET_DECAY_NONE) {
    return check_one_extent(p, extent("decay", 1, 1, 1, x->H, whole), 4, p->decay_len);
  }
  return LEET_OK;
}

leet_status check_arrays(leet_params *p, Problem *x, const void *q, const void *k, const void *v, const float *decay,
                         const int64_t *cu_seqlens, const float *initial_state, void *o, float *final_state) {
  const uintptr_t bytes = (uintptr_t)dtype_bytes(x->dtype);
  const int64_t state_bytes = state_elements(*x) * 4;
  const bool gates = x->decay_form == LEET_DECAY_LOG_GATES;
  const struct {
    Extent extent;
    const void *data;
    uintptr_t element;
    bool required;
  } arrays[] = {
      {extent("q", x->B, x->H, x->N, x->dk, x->q), q, bytes, true},
      {extent("k", x->B, x->Hkv, x->N, x->dk, x->k), k, bytes, true},
      {extent("v", x->B, x->Hkv, x->N, x->dv, x->v), v, bytes, true},
      {gates ? extent("decay", x->B, x->H, x->N, 1, x->gates) : extent("decay", 1, 1, 1, x->H, {x->H, x->H, x->H}),
       decay, 4, x->decay_form != LEET_DECAY_NONE},
      {extent("cu_seqlens", 1, 1, 1, p->S + 1, {1, 1, 1}), cu_seqlens, 8, p->S > 0},
      {extent("initial_state", 1, 1, 1, state_bytes / 4, {1, 1, 1}), initial_state, 4, false},
      {extent("o", x->B, x->H, x->N, x->dv, x->o), o, bytes, true},
      {extent("final_state", 1, 1, 1, state_bytes / 4, {1, 1, 1}), final_state, 4, false},
  };
  enum { Q, K, V, DECAY, CU, STATE_IN, OUT, STATE_OUT, COUNT };
  Range ranges[COUNT];
  for (int i = 0; i < COUNT; i++) {
    const auto &a = arrays[i];
    const int64_t elements = reach(a.extent);
    if (a.data == nullptr && a.required && elements > 0) {
      return refuse(p, LEET_INVALID_POINTER, "%s: expected %lld elements, got NULL", a.extent.name,
                    (long long)elements);
    }
    if ((uintptr_t)a.data % a.element != 0) {
      return refuse(p, LEET_INVALID_ALIGNMENT, "%s: expected an address divisible by %d", a.extent.name,
                    (int)a.element);
    }
    const uintptr_t begin = (uintptr_t)a.data;
    ranges[i] = {a.extent.name, begin, a.data ? begin + (uintptr_t)elements * a.element : begin};
  }
  if (decay != nullptr && x->decay_form == LEET_DECAY_NONE) {
    return refuse(p, LEET_INVALID_POINTER, "decay: expected NULL with decay_form none, got an array");
  }
  if (cu_seqlens != nullptr && p->S == 0) {
    return refuse(p, LEET_INVALID_POINTER, "cu_seqlens: expected NULL with S = 0, got an array");
  }
  if (p->cu_seqlens_len != 0 && p->S > 0 && p->cu_seqlens_len < (uint64_t)p->S + 1) {
    return refuse(p, LEET_INVALID_LENGTH, "cu_seqlens: expected %lld elements, got %llu", (long long)p->S + 1,
                  (unsigned long long)p->cu_seqlens_len);
  }
  const int outputs[] = {OUT, STATE_OUT};
  for (int out : outputs) {
    for (int i = 0; i < COUNT; i++) {
      const bool elsewhere = x->on_device && (i == CU || (i == DECAY && x->host_decay));
      if (i == out || elsewhere || !meet(ranges[out], ranges[i])) continue;
      const bool in_place = out == STATE_OUT && i == STATE_IN && ranges[out].begin == ranges[i].begin;
      if (!in_place) {
        return refuse(p, LEET_INVALID_ALIAS, "%s: expected memory of its own, got memory shared with %s",
                      ranges[out].name, ranges[i].name);
      }
    }
  }
  x->q_data = q;
  x->k_data = k;
  x->v_data = v;
  x->decay = decay;
  x->cu_seqlens = p->S > 0 ? cu_seqlens : nullptr;
  x->initial_state = initial_state;
  x->o_data = o;
  x->final_state = final_state;
  if (p->S > 0) {
    const leet_status status = check_cu_seqlens(p, *x, cu_seqlens);
    if (status != LEET_OK) return status;
  }
  return x->on_device && !x->host_decay ? LEET_OK : check_decay_values(p, *x);
}

}  // namespace leet
