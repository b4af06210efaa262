/* Every method writes each element of o and final_state, and no byte besides: not before or after the arrays, not in
 * the gaps of padded strides; and reads none of what was in them before. Inputs end at inaccessible pages. */
#include "call.h"

enum { STRIDES = 4 };
static const char *const kStrides[STRIDES] = {"bhnd", "bnhd", "padded", "time outermost"};

/* Strides of an array whose rows have `dim` elements. */
static void set_strides(int64_t stride[3], int kind, int64_t heads, int64_t tokens, int64_t dim) {
  if (kind == 2) {
    stride[2] = dim + 3;
    stride[1] = tokens * stride[2] + 5;
    stride[0] = heads * stride[1] + 11;
  } else if (kind == 3) {
    stride[1] = dim + 1;
    stride[0] = heads * stride[1] + 2;
    stride[2] = 2 * stride[0] + 3;
  }
}

static leet_params strided(leet_params p, int kind) {
  if (kind == 1) p.layout = LEET_LAYOUT_BNHD;
  set_strides(p.q_stride, kind, p.H, p.N, p.dk);
  set_strides(p.k_stride, kind, p.Hkv, p.N, p.dk);
  set_strides(p.v_stride, kind, p.Hkv, p.N, p.dv);
  set_strides(p.o_stride, kind, p.H, p.N, p.dv);
  set_strides(p.gate_stride, kind, p.H, p.N, 1);
  return p;
}

/* Copies the elements of an array [B,heads,N,dim] of one call into another with other strides. */
static void copy_elements(const Call *from, Call *to, int array, const int64_t from_given[3], const int64_t to_given[3],
                          int64_t heads, int64_t dim, size_t element) {
  int64_t a[3], b[3];
  strides_of(&from->p, from_given, heads, dim, a);
  strides_of(&to->p, to_given, heads, dim, b);
  for (int64_t row = 0; row < from->p.B * heads * from->p.N; row++) {
    const int64_t batch = row / (heads * from->p.N), head = row / from->p.N % heads, time = row % from->p.N;
    memcpy((char *)to->array[array].data + (size_t)(batch * b[0] + head * b[1] + time * b[2]) * element,
           (char *)from->array[array].data + (size_t)(batch * a[0] + head * a[1] + time * a[2]) * element,
           (size_t)dim * element);
  }
}

/* What lies between the elements of o is still kGuard. */
static int only_elements_written(const Call *c, size_t element) {
  const leet_params *p = &c->p;
  const Array *a = &c->array[OUT];
  int64_t s[3];
  strides_of(p, p->o_stride, p->H, p->dv, s);
  unsigned char *belongs = (unsigned char *)calloc(a->bytes + 1, 1);
  if (belongs == NULL) exit(1);
  for (int64_t row = 0; row < p->B * p->H * p->N; row++) {
    const int64_t batch = row / (p->H * p->N), head = row / p->N % p->H, time = row % p->N;
    memset(belongs + (size_t)(batch * s[0] + head * s[1] + time * s[2]) * element, 1, (size_t)p->dv * element);
  }
  int good = 1;
  for (size_t i = 0; i < a->bytes; i++) good &= belongs[i] || ((unsigned char *)a->data)[i] == kGuard;
  free(belongs);
  return good;
}

static void one_shape(const leet_params *dense_params) {
  char name[200];
  const leet_params *d = dense_params;
  const size_t element = element_bytes(d);
  Call dense;
  call_new(&dense, d);
  for (int kind = 0; kind < STRIDES; kind++) {
    const leet_params p = strided(*d, kind);
    snprintf(name, sizeof name, "method %d dtype %d decay %d threads %d B %d H %d Hkv %d N %d dk %d dv %d S %d %s",
             p.method, p.dtype, p.decay_form, p.threads, (int)p.B, (int)p.H, (int)p.Hkv, (int)p.N, (int)p.dk, (int)p.dv,
             (int)p.S, kStrides[kind]);
    current_test = name;
    Call c;
    call_new(&c, &p);
    copy_elements(&dense, &c, Q, d->q_stride, p.q_stride, p.H, p.dk, element);
    copy_elements(&dense, &c, K, d->k_stride, p.k_stride, p.Hkv, p.dk, element);
    copy_elements(&dense, &c, V, d->v_stride, p.v_stride, p.Hkv, p.dv, element);
    if (p.decay_form == LEET_DECAY_LOG_GATES) {
      copy_elements(&dense, &c, DECAY, d->gate_stride, p.gate_stride, p.H, 1, 4);
    } else {
      memcpy(c.array[DECAY].data, dense.array[DECAY].data, c.array[DECAY].bytes);
    }
    memcpy(c.array[STATE_IN].data, dense.array[STATE_IN].data, c.array[STATE_IN].bytes);
    call_remember(&c);
    const leet_status status = call_forward(&c);
    expect(status == LEET_OK, "status %d: %s", status, c.p.message);
    if (status == LEET_OK) {
      const double error = call_error_of(&c);
      expect(error <= 1, "error is %g of what is allowed", error);
      for (int i = 0; i < ARRAYS; i++) {
        if (i != OUT && i != STATE_OUT) expect(array_unchanged(&c.array[i]), "input %d was written", i);
      }
      expect(array_guarded(&c.array[OUT]) && array_guarded(&c.array[STATE_OUT]), "written before an array");
      expect(only_elements_written(&c, element), "written into the gaps of o");
      /* An element that was not written, or a result that depends on what was there, shows with another filling. */
      Call again;
      call_new(&again, d);
      memset(again.array[OUT].data, 0xff, again.array[OUT].bytes);
      memset(again.array[STATE_OUT].data, 0xff, again.array[STATE_OUT].bytes);
      expect(call_forward(&again) == LEET_OK, "again: %s", again.p.message);
      copy_elements(&c, &dense, OUT, p.o_stride, d->o_stride, p.H, p.dv, element);
      memcpy(dense.array[STATE_OUT].data, c.array[STATE_OUT].data, c.array[STATE_OUT].bytes);
      expect(same_outputs(&dense, &again), "the bits differ from those of dense arrays");
      call_free(&again);
    }
    call_free(&c);
  }
  call_free(&dense);
}

int main(void) {
  start_tests();
  static const int64_t shapes[][7] = {/* B, H, Hkv, N, dk, dv, S */
                                      {2, 2, 1, 1, 1, 1, 0},     {1, 2, 2, 17, 5, 3, 0},    {2, 3, 1, 67, 33, 19, 0},
                                      {1, 1, 1, 300, 17, 40, 0}, {1, 2, 1, 130, 64, 64, 0}, {1, 2, 1, 90, 9, 7, 4}};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    for (int method = LEET_METHOD_VANILLA; method <= LEET_METHOD_FLASH; method++) {
      for (int dtype = LEET_F32; dtype <= LEET_BF16; dtype++) {
        const int64_t *s = shapes[i];
        leet_params p = shape_of(s[0], s[1], s[2], s[3], s[4], s[5]);
        p.S = s[6];
        p.method = method;
        p.dtype = dtype;
        p.decay_form = (int32_t)(i + (size_t)(method + dtype)) % 4;
        p.threads = 1 + (method + dtype) % 3;
        one_shape(&p);
      }
    }
  }
  return finish_tests();
}
