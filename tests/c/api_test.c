/* The contract of leet.h that callers in other languages compile in: sizes, offsets, codes, texts; and what the entries
 * without a problem answer. */
#include <stddef.h>

#include "call.h"

/* Struct layouts are part of the ABI. Fields may only be added at the end. */
#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field)
_Static_assert(sizeof(leet_status) == 4, "leet_status");
_Static_assert(sizeof(leet_params) == 560, "leet_params");
AT(leet_params, struct_size, 0);
AT(leet_params, method, 4);
AT(leet_params, device, 8);
AT(leet_params, device_index, 12);
AT(leet_params, dtype, 16);
AT(leet_params, decay_form, 20);
AT(leet_params, layout, 24);
AT(leet_params, threads, 28);
AT(leet_params, flags, 32);
AT(leet_params, method_used, 36);
AT(leet_params, scale, 40);
AT(leet_params, B, 48);
AT(leet_params, H, 56);
AT(leet_params, Hkv, 64);
AT(leet_params, N, 72);
AT(leet_params, dk, 80);
AT(leet_params, dv, 88);
AT(leet_params, S, 96);
AT(leet_params, q_stride, 104);
AT(leet_params, k_stride, 128);
AT(leet_params, v_stride, 152);
AT(leet_params, o_stride, 176);
AT(leet_params, gate_stride, 200);
AT(leet_params, q_len, 224);
AT(leet_params, k_len, 232);
AT(leet_params, v_len, 240);
AT(leet_params, o_len, 248);
AT(leet_params, decay_len, 256);
AT(leet_params, cu_seqlens_len, 264);
AT(leet_params, initial_state_len, 272);
AT(leet_params, final_state_len, 280);
AT(leet_params, message, 288);
AT(leet_params, stream, 544);
AT(leet_params, device_used, 552);
AT(leet_params, device_index_used, 556);
_Static_assert(sizeof(((leet_params *)0)->message) == 256, "message");
_Static_assert(sizeof(leet_cost) == 40, "leet_cost");
AT(leet_cost, struct_size, 0);
AT(leet_cost, method, 4);
AT(leet_cost, flops, 8);
AT(leet_cost, bytes, 16);
AT(leet_cost, workspace, 24);
AT(leet_cost, seconds, 32);
_Static_assert(sizeof(leet_device_info) == 184, "leet_device_info");
AT(leet_device_info, struct_size, 0);
AT(leet_device_info, device, 4);
AT(leet_device_info, device_index, 8);
AT(leet_device_info, units, 12);
AT(leet_device_info, memory, 16);
AT(leet_device_info, name, 24);
AT(leet_device_info, isa, 152);
_Static_assert(sizeof(leet_method_info) == 260, "leet_method_info");
AT(leet_method_info, struct_size, 0);
AT(leet_method_info, method, 4);
AT(leet_method_info, name, 8);
AT(leet_method_info, text, 24);

#define IS(name, value) _Static_assert(LEET_##name == (value), #name)
IS(ABI_VERSION, 1);
IS(METHOD_AUTO, 0);
IS(DEVICE_AUTO, 0);
IS(DEVICE_CPU, 1);
IS(DEVICE_CUDA, 2);
IS(F32, 0);
IS(F16, 1);
IS(BF16, 2);
IS(DECAY_NONE, 0);
IS(DECAY_FACTOR, 1);
IS(DECAY_LOG, 2);
IS(DECAY_LOG_GATES, 3);
IS(LAYOUT_BHND, 0);
IS(LAYOUT_BNHD, 1);
IS(FLAG_DEVICE_POINTERS, 1);

/* The codes of leet.h, each with the number that is pinned for ever. */
static const struct {
  const char *name;
  leet_status code, pinned;
} kCodes[] = {
#define CODE(name, number)     \
  {                            \
#name, LEET_##name, number \
  }
    CODE(OK, 0),
    CODE(INVALID_POINTER, 1001),
    CODE(INVALID_STRUCT_SIZE, 1002),
    CODE(INVALID_METHOD, 1003),
    CODE(INVALID_DEVICE, 1004),
    CODE(INVALID_DTYPE, 1005),
    CODE(INVALID_LAYOUT, 1006),
    CODE(INVALID_SHAPE, 1007),
    CODE(INVALID_STRIDE, 1008),
    CODE(INVALID_LENGTH, 1009),
    CODE(INVALID_DECAY, 1010),
    CODE(INVALID_SCALE, 1011),
    CODE(INVALID_THREADS, 1012),
    CODE(INVALID_FLAGS, 1013),
    CODE(INVALID_CU_SEQLENS, 1014),
    CODE(INVALID_ALIAS, 1015),
    CODE(INVALID_ALIGNMENT, 1016),
    CODE(INVALID_INDEX, 1017),
    CODE(SIZE_OVERFLOW, 1018),
    CODE(UNSUPPORTED_DEVICE, 2001),
    CODE(UNSUPPORTED_SHAPE, 2002),
    CODE(UNSUPPORTED_ISA, 2003),
    CODE(OUT_OF_MEMORY, 3001),
    CODE(NO_DRIVER, 4001),
    CODE(NO_DEVICE, 4002),
    CODE(DRIVER_TOO_OLD, 4003),
    CODE(DEVICE_UNAVAILABLE, 4004),
    CODE(DEVICE_OUT_OF_MEMORY, 4005),
    CODE(BAD_KERNEL_IMAGE, 4006),
    CODE(LAUNCH_FAILED, 4007),
    CODE(DRIVER_ERROR, 4008),
    CODE(INTERNAL, 9001),
};
enum { kCodeCount = sizeof kCodes / sizeof kCodes[0] };

static const struct {
  const char *name;
  int32_t id, pinned;
} kMethods[] = {
    {"vanilla", LEET_METHOD_VANILLA, 1},     {"recurrent", LEET_METHOD_RECURRENT, 2}, {"block", LEET_METHOD_BLOCK, 3},
    {"recursion", LEET_METHOD_RECURSION, 4}, {"lightning", LEET_METHOD_LIGHTNING, 5}, {"fleet", LEET_METHOD_FLEET, 6},
    {"flash", LEET_METHOD_FLASH, 7},
};
enum { kMethodCount = sizeof kMethods / sizeof kMethods[0] };

static int known_code(leet_status code) {
  for (int i = 0; i < kCodeCount; i++) {
    if (kCodes[i].code == code) return 1;
  }
  return 0;
}

static void status_texts(void) {
  current_test = "status texts";
  char text[256];
  for (int i = 0; i < kCodeCount; i++) {
    const size_t length = strlen(kCodes[i].name);
    expect(kCodes[i].code == kCodes[i].pinned, "%s is %d", kCodes[i].name, kCodes[i].code);
    expect(leet_status_text(kCodes[i].code, text, sizeof text) == LEET_OK, "%s has no text", kCodes[i].name);
    expect(strncmp(text, kCodes[i].name, length) == 0 && strncmp(text + length, ": ", 2) == 0 && text[length + 2],
           "%s has the text '%s'", kCodes[i].name, text);
  }
  for (leet_status code = -10; code < 10000; code++) {
    memset(text, 'x', sizeof text);
    const leet_status status = leet_status_text(code, text, sizeof text);
    expect(status == (known_code(code) ? LEET_OK : LEET_INVALID_INDEX), "code %d gave %d", code, status);
    expect(known_code(code) || text[0] == 0, "unknown code %d left the text '%.10s'", code, text);
  }
  expect(leet_status_text(INT32_MIN, text, sizeof text) == LEET_INVALID_INDEX, "INT32_MIN");
  expect(leet_status_text(LEET_OK, NULL, 10) == LEET_INVALID_POINTER, "NULL text");
  expect(leet_status_text(LEET_OK, text, 0) == LEET_INVALID_POINTER, "0 bytes");
  expect(leet_status_text(LEET_OK, text, -1) == LEET_INVALID_POINTER, "-1 bytes");
  for (int bytes = 1; bytes < 12; bytes++) {
    memset(text, 'x', sizeof text);
    expect(leet_status_text(LEET_OK, text, bytes) == LEET_OK, "%d bytes", bytes);
    expect(strncmp(text, "OK: success", (size_t)bytes - 1) == 0 && text[bytes - 1] == 0 && text[bytes] == 'x',
           "cut to %d bytes wrongly: %.20s", bytes, text);
  }
}

static void methods(void) {
  current_test = "methods";
  leet_method_info info;
  for (int i = 0; i < kMethodCount; i++) {
    memset(&info, 'x', sizeof info);
    info.struct_size = sizeof info;
    expect(kMethods[i].id == kMethods[i].pinned, "%s is %d", kMethods[i].name, kMethods[i].id);
    expect(leet_method_get(i, &info) == LEET_OK, "method %d", i);
    expect(info.method == kMethods[i].id && info.struct_size == sizeof info, "method %d has id %d", i, info.method);
    expect(memchr(info.name, 0, sizeof info.name) && strcmp(info.name, kMethods[i].name) == 0, "method %d is '%.16s'",
           i, info.name);
    expect(memchr(info.text, 0, sizeof info.text) && strlen(info.text) > 20 && strlen(info.text) < sizeof info.text - 1,
           "method %d has the text '%.236s'", i, info.text);
  }
  const int32_t past[] = {kMethodCount, kMethodCount + 1, -1, INT32_MAX, INT32_MIN};
  for (int i = 0; i < 5; i++) {
    expect(leet_method_get(past[i], &info) == LEET_INVALID_INDEX, "index %d", past[i]);
  }
  expect(leet_method_get(0, NULL) == LEET_INVALID_POINTER, "NULL");
  const leet_method_info before = info;
  for (uint32_t size = 0; size < 2 * sizeof info; size++) {
    if (size == sizeof info) continue;
    info.struct_size = size;
    expect(leet_method_get(0, &info) == LEET_INVALID_STRUCT_SIZE, "struct_size %u", size);
    expect(memcmp(&info.method, &before.method, sizeof info - 4) == 0, "struct_size %u: written", size);
  }
}

static void devices(void) {
  current_test = "devices";
  leet_device_info info;
  int count = 0;
  for (;; count++) {
    memset(&info, 'x', sizeof info);
    info.struct_size = sizeof info;
    const leet_status status = leet_device_get(count, &info);
    if (status != LEET_OK) {
      expect(status == LEET_INVALID_INDEX, "index %d gave %d", count, status);
      break;
    }
    expect(info.device == (count == 0 ? LEET_DEVICE_CPU : LEET_DEVICE_CUDA), "device %d is of kind %d", count,
           info.device);
    expect(info.device_index == (count == 0 ? 0 : count - 1), "device %d has index %d", count, info.device_index);
    expect(info.units >= 1 && info.memory > (1u << 20), "device %d: %d units, %llu bytes", count, info.units,
           (unsigned long long)info.memory);
    expect(memchr(info.name, 0, sizeof info.name) && info.name[0] && !strchr(info.name, '\n'), "device %d: '%.128s'",
           count, info.name);
    expect(memchr(info.isa, 0, sizeof info.isa) && info.isa[0], "device %d: isa '%.32s'", count, info.isa);
  }
  expect(count >= 1, "%d devices", count);
  const int32_t past[] = {count + 1, -1, INT32_MAX, INT32_MIN};
  for (int i = 0; i < 4; i++) {
    expect(leet_device_get(past[i], &info) == LEET_INVALID_INDEX, "index %d", past[i]);
  }
  expect(leet_device_get(0, NULL) == LEET_INVALID_POINTER, "NULL");
  for (uint32_t size = 0; size < 2 * sizeof info; size++) {
    if (size == sizeof info) continue;
    info.struct_size = size;
    expect(leet_device_get(0, &info) == LEET_INVALID_STRUCT_SIZE, "struct_size %u", size);
  }
}

static void versions(void) {
  current_test = "version";
  char text[256], part[256];
  int32_t abi = 0;
  expect(leet_version(text, sizeof text, &abi) == LEET_OK && abi == LEET_ABI_VERSION, "abi %d", abi);
  expect(strncmp(text, LEET_VERSION " cpu(", strlen(LEET_VERSION) + 5) == 0, "%s", text);
  for (int32_t bytes = 1; bytes <= 64; bytes++) {
    memset(part, 'x', sizeof part);
    expect(leet_version(part, bytes, &abi) == LEET_OK, "%d bytes", bytes);
    expect(strncmp(part, text, (size_t)bytes - 1) == 0 && memchr(part, 0, (size_t)bytes) && part[bytes] == 'x',
           "cut to %d bytes wrongly", bytes);
  }
  abi = -5;
  expect(leet_version(NULL, 10, &abi) == LEET_INVALID_POINTER && abi == -5, "NULL text");
  expect(leet_version(text, 0, &abi) == LEET_INVALID_POINTER, "0 bytes");
  expect(leet_version(text, 10, NULL) == LEET_INVALID_POINTER, "NULL abi");
}

/* Every method, shape and thread number: positive finite figures, those of the formulas where a formula is documented.
 */
/* Needs the CUDA backend in the library, but no driver. */
static void modelled_h100(void) {
  current_test = "modelled H100";
  leet_params p = shape_of(1, 32, 32, 8192, 128, 128);
  leet_cost cost = {.struct_size = sizeof cost};
  p.device = LEET_DEVICE_CUDA;
  p.flags = LEET_FLAG_MODEL_H100;
  p.dtype = LEET_BF16;
  const leet_status status = leet_estimate(&p, &cost);
  char version[200] = "";
  int32_t abi;
  leet_version(version, sizeof version, &abi);
  if (strstr(version, "cuda") == NULL) {
    expect(status == LEET_UNSUPPORTED_DEVICE, "status %d without the CUDA backend", (int)status);
    return;
  }
  expect(status == LEET_OK, "%s", p.message);
  expect(cost.method == LEET_METHOD_FLASH, "auto takes method %d", (int)cost.method);
  /* Not below what 3.35 TB/s need for the bytes. */
  expect(cost.seconds >= cost.bytes / 3.35e12 && cost.seconds < 1e-3, "%g s for %g bytes", cost.seconds, cost.bytes);
  float none[1] = {0};
  expect(leet_forward(&p, none, none, none, NULL, NULL, NULL, none, NULL) == LEET_INVALID_FLAGS, "it ran");
}

static void estimates(void) {
  current_test = "estimates";
  for (int method = LEET_METHOD_AUTO; method <= LEET_METHOD_FLASH; method++) {
    for (int64_t N = 0; N <= 1 << 20; N = N * 32 + 1) {
      leet_params p = shape_of(2, 4, 2, N, 64, 48);
      p.method = method;
      leet_cost cost = {0};
      cost.struct_size = sizeof cost;
      expect(leet_estimate(&p, &cost) == LEET_OK, "method %d, N %d: %s", method, (int)N, p.message);
      expect(cost.method == p.method_used && (method == LEET_METHOD_AUTO || cost.method == method),
             "method %d became %d", method, cost.method);
      const double least = 4.0 * 2 * 4 * (double)N * 64 * 48 / (cost.method == LEET_METHOD_VANILLA ? 1e9 : 1);
      expect(cost.flops >= least && cost.flops < 1e18, "method %d, N %d: %g operations", method, (int)N, cost.flops);
      expect(cost.bytes >= 4.0 * 2 * (double)N * (4 + 2) * (64 + 48) && cost.bytes < 1e12, "%g bytes", cost.bytes);
      expect(cost.workspace >= 0 && cost.workspace < 1e12, "%g bytes of scratch", cost.workspace);
      expect(cost.seconds >= 0 && cost.seconds < 1e9, "%g seconds", cost.seconds);
    }
  }
}

static void workspace(void) {
  current_test = "workspace";
  leet_params p = shape_of(1, 2, 2, 40, 16, 16);
  Call c;
  call_new(&c, &p);
  uint64_t bytes = 77;
  expect(call_forward(&c) == LEET_OK, "%s", c.p.message);
  expect(leet_workspace_bytes(&bytes) == LEET_OK && bytes > 0 && bytes != 77, "%llu kept", (unsigned long long)bytes);
  expect(leet_workspace_release() == LEET_OK, "release");
  expect(leet_workspace_bytes(&bytes) == LEET_OK && bytes == 0, "%llu kept", (unsigned long long)bytes);
  expect(leet_workspace_release() == LEET_OK, "release twice");
  expect(leet_workspace_bytes(NULL) == LEET_INVALID_POINTER, "NULL");
  expect(call_forward(&c) == LEET_OK && call_error_of(&c) <= 1, "after release: %s", c.p.message);
  call_free(&c);
}

/* A device that is not there: every entry that names it says so, and does nothing else. */
static void missing_device(void) {
  current_test = "a CUDA device that is not there";
  leet_params p = shape_of(2, 4, 2, 5, 3, 7);
  p.device = LEET_DEVICE_CUDA;
  p.device_index = INT32_MAX;
  Call c;
  call_new(&c, &p);
  call_remember(&c);
  leet_cost cost = {0};
  cost.struct_size = sizeof cost;
  const char *const names[] = {"forward", "start", "estimate", "alloc", "free", "write", "read", "memory"};
  for (int entry = 0; entry < 8; entry++) {
    char text[64];
    memset(text, 'x', sizeof text);
    c.p.message[0] = 0;
    uint64_t figures[3] = {7, 7, 7}, job = 7;
    leet_status status = LEET_OK;
    switch (entry) {
      case 0:
        status = call_forward(&c);
        break;
      case 1:
        status = call_start(&c, &job);
        break;
      case 2:
        status = leet_estimate(&c.p, &cost);
        break;
      case 3:
        status = leet_device_alloc(INT32_MAX, 64, figures, text, 20);
        break;
      case 4:
        status = leet_device_free(INT32_MAX, 4096, text, 20);
        break;
      case 5:
        status = leet_device_write(INT32_MAX, 4096, c.array[Q].data, 8, text, 20);
        break;
      case 6:
        status = leet_device_read(INT32_MAX, c.array[OUT].data, 4096, 8, text, 20);
        break;
      default:
        status = leet_device_memory(INT32_MAX, figures, figures + 1, figures + 2, text, 20);
        break;
    }
    expect(status == LEET_UNSUPPORTED_DEVICE || (status >= LEET_NO_DRIVER && status <= LEET_DRIVER_ERROR), "%s gave %d",
           names[entry], status);
    expect(entry < 3 ? c.p.message[0] != 0 : text[0] != 'x' && memchr(text, 0, 20) != NULL && text[20] == 'x',
           "%s: message '%s' '%.20s'", names[entry], c.p.message, text);
    expect(call_unchanged(&c) && (entry != 1 || job == 0), "%s changed an array or left a job", names[entry]);
  }
  expect(leet_device_free(INT32_MAX, 4096, NULL, 0) != LEET_OK, "no place for a message");
  expect(leet_device_alloc(-1, 64, NULL, NULL, 0) != LEET_OK, "no device, no place");
  call_free(&c);
}

/* A copy on a thread of the library tells of the missing device at its start or at its end, with its message. */
static void copies_without_a_device(void) {
  for (int reading = 0; reading <= 1; reading++) {
    current_test = reading ? "leet_device_read_start" : "leet_device_write_start";
    char text[20], host[8];
    memset(text, 'x', sizeof text);
    uint64_t job = 7;
    leet_status result = LEET_OK;
    int32_t done = 0;
    leet_status status = reading ? leet_device_read_start(INT32_MAX, host, 4096, sizeof host, text, sizeof text, &job)
                                 : leet_device_write_start(INT32_MAX, 4096, host, sizeof host, text, sizeof text, &job);
    expect((status == LEET_OK) == (job != 0), "status %d, job %d", status, (int)job);
    if (status == LEET_OK) {
      expect(leet_job_poll(job, -1, &done, &result) == LEET_OK && done == 1, "poll");
      status = result;
    }
    expect(status == LEET_UNSUPPORTED_DEVICE || (status >= LEET_NO_DRIVER && status <= LEET_DRIVER_ERROR), "gave %d",
           status);
    expect(text[0] != 'x' && memchr(text, 0, sizeof text) != NULL, "message '%.20s'", text);
    job = 7;
    status = reading ? leet_device_read_start(0, NULL, 4096, 8, text, sizeof text, &job)
                     : leet_device_write_start(0, 4096, NULL, 8, text, sizeof text, &job);
    expect((status == LEET_INVALID_POINTER || status == LEET_UNSUPPORTED_DEVICE) && job == 0, "NULL gave %d", status);
    status = reading ? leet_device_read_start(0, host, 4096, 8, text, sizeof text, NULL)
                     : leet_device_write_start(0, 4096, host, 8, text, sizeof text, NULL);
    expect(status == LEET_INVALID_POINTER || status == LEET_UNSUPPORTED_DEVICE, "no place for the job gave %d", status);
  }
}

int main(void) {
  start_tests();
  status_texts();
  methods();
  devices();
  versions();
  estimates();
  modelled_h100();
  workspace();
  missing_device();
  copies_without_a_device();
  return finish_tests();
}
