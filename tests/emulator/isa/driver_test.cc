// The driver functions: streams and events, memory, modules, injected failures, leaks, counters.
#include <cstdlib>
#include <cstring>

#include "kernel.h"

using namespace isa;

namespace {
const char *COPY = "ld.global.u32 %r0, [%i];\nst.global.u32 [%o], %r0;";
constexpr int NOT_READY = 600, OUT_OF_MEMORY = 2, INVALID_VALUE = 1, INVALID_HANDLE = 400;

bool countersHave(const std::string &text) { return countersText().find(text) != std::string::npos; }
}  // namespace

ISA_TEST("driver", streams_events_and_pinned_memory) {
  Driver &d = driver();
  Module m(kernelText(COPY));
  Buffer<uint32_t> in(32), out(32);
  void *stream = nullptr, *other = nullptr, *event = nullptr, *start = nullptr, *pinned = nullptr;
  EXPECT(!d.cuStreamCreate(&stream, 1) && !d.cuStreamCreate(&other, 1) && !d.cuEventCreate(&event, 0) &&
             !d.cuEventCreate(&start, 0),
         reportText());
  EXPECT(!d.cuMemHostAlloc(&pinned, 256, 0), reportText());
  uint32_t *words = static_cast<uint32_t *>(pinned);
  for (uint32_t k = 0; k < 64; ++k) words[k] = k < 32 ? k * 3 : 0;
  void *params[] = {&in.address, &out.address};
  EXPECT(!d.cuEventRecord(start, stream) && !d.cuMemcpyHtoDAsync_v2(in.address, words, 128, stream) &&
             !d.cuEventRecord(event, stream),
         reportText());
  EXPECT(!d.cuStreamWaitEvent(other, event, 0), reportText());
  EXPECT(!d.cuLaunchKernel(m.function("k"), 1, 1, 1, 32, 1, 1, 0, other, params, nullptr), reportText());
  EXPECT(!d.cuMemcpyDtoHAsync_v2(words + 32, out.address, 128, other), reportText());
  EXPECT(!d.cuStreamSynchronize(other), reportText());
  bool equal = true;
  for (uint32_t k = 0; k < 32; ++k) equal = equal && words[32 + k] == k * 3;
  EXPECT(equal, "the data did not arrive");
  EXPECT(!d.cuEventSynchronize(event) && !d.cuEventQuery(event) && !d.cuStreamQuery(stream), reportText());
  float ms = -1;
  EXPECT(!d.cuEventElapsedTime(&ms, start, event) && ms >= 0, reportText());
  EXPECT(!d.cuEventDestroy_v2(event) && !d.cuEventDestroy_v2(start) && !d.cuStreamDestroy_v2(stream) &&
             !d.cuStreamDestroy_v2(other),
         reportText());
  EXPECT(!d.cuMemFreeHost(pinned), reportText());
}

ISA_TEST("driver", memset_copies_and_pointer_attributes) {
  Driver &d = driver();
  Buffer<uint32_t> a(Words(8, 5)), b(8);
  EXPECT(
      !d.cuMemsetD8Async(b.address, 0x11, 32, nullptr) && !d.cuMemcpyDtoDAsync_v2(b.address + 8, a.address, 8, nullptr),
      reportText());
  EXPECT((b.get() == Words{0x11111111, 0x11111111, 5, 5, 0x11111111, 0x11111111, 0x11111111, 0x11111111}),
         "wrong bytes");
  unsigned type = 0;
  int ordinal = -1, x = 0;
  EXPECT(!d.cuPointerGetAttribute(&type, 2, a.address + 4) && type == 2, "memory type");
  EXPECT(!d.cuPointerGetAttribute(&ordinal, 9, a.address) && ordinal == 0, "device");
  EXPECT(d.cuPointerGetAttribute(&type, 2, reinterpret_cast<unsigned long long>(&x)) == INVALID_VALUE,
         "a host pointer");
  size_t free0 = 0, free1 = 0, total = 0;
  d.cuMemGetInfo_v2(&free0, &total);
  {
    Buffer<uint8_t> big(16 << 20);
    d.cuMemGetInfo_v2(&free1, &total);
  }
  EXPECT(free0 - free1 >= (16 << 20) && total >= free0, "accounting");
}

// Work that nobody waited for has not happened yet: a host that forgets to wait sees it.
ISA_TEST("emulator", late_streams) {
  Driver &d = driver();
  Module m(kernelText(COPY));
  Buffer<uint32_t> in(Words(32, 9)), out(Words(32, 0));
  void *stream = nullptr, *pinned = nullptr;
  d.cuStreamCreate(&stream, 1), d.cuMemHostAlloc(&pinned, 128, 0);
  uint32_t *words = static_cast<uint32_t *>(pinned);
  words[0] = 1;
  void *params[] = {&in.address, &out.address};
  d.cuLaunchKernel(m.function("k"), 1, 1, 1, 32, 1, 1, 0, stream, params, nullptr);
  d.cuMemcpyDtoHAsync_v2(words, out.address, 128, stream);
  EXPECT(words[0] == 1, "it ran before anyone waited");
  EXPECT(out.get()[0] == 0, "a synchronous copy does not wait for a non-blocking stream");
  EXPECT(d.cuStreamQuery(stream) == NOT_READY, "query");
  int turns = 0;
  while (d.cuStreamQuery(stream) == NOT_READY && turns < 10) ++turns;
  EXPECT(words[0] == 9 && turns < 10, "polling ends");
  d.configure("STREAMS", "eager");
  words[0] = 1;
  d.cuMemcpyDtoHAsync_v2(words, out.address, 128, stream);
  EXPECT(words[0] == 9, "eager");
  d.configure("STREAMS", "late");
  d.cuMemFreeHost(pinned), d.cuStreamDestroy_v2(stream);
}

// A copy on one stream, a kernel on another that needs it, with and without the event between them.
static int copyThenKernel(bool wait) {
  Driver &d = driver();
  Module m(kernelText(COPY));
  Buffer<uint32_t> in(32), out(32);
  void *copies = nullptr, *kernels = nullptr, *event = nullptr, *pinned = nullptr;
  d.cuStreamCreate(&copies, 1), d.cuStreamCreate(&kernels, 1), d.cuEventCreate(&event, 2);
  d.cuMemHostAlloc(&pinned, 128, 0);
  memset(pinned, 1, 128);
  void *params[] = {&in.address, &out.address};
  d.cuMemcpyHtoDAsync_v2(in.address, pinned, 128, copies);
  d.cuEventRecord(event, copies);
  if (wait) d.cuStreamWaitEvent(kernels, event, 0);
  d.cuLaunchKernel(m.function("k"), 1, 1, 1, 32, 1, 1, 0, kernels, params, nullptr);
  int status = d.cuStreamSynchronize(kernels);
  if (status == 0) {
    d.cuStreamSynchronize(copies), d.cuMemFreeHost(pinned), d.cuEventDestroy_v2(event);
    d.cuStreamDestroy_v2(copies), d.cuStreamDestroy_v2(kernels);
  }
  return status;
}

ISA_TEST("emulator", a_forgotten_wait_for_an_event_is_seen) {
  driver().reset();
  EXPECT(copyThenKernel(true) == 0, reportText());
  EXPECT(copyThenKernel(false) != 0 && reportText().find("written") != std::string::npos, reportText());
  renewContext();
}

// Under random schedules a stream may be far ahead of another: new words come before the kernel that reads the old
// ones, for some seed, unless the copy waits for it.
ISA_TEST("emulator", random_streams_run_ahead) {
  Driver &d = driver();
  Module m(kernelText(COPY));
  Buffer<uint32_t> in(32), out(32);
  void *copies = nullptr, *kernels = nullptr, *event = nullptr, *pinned = nullptr;
  d.cuStreamCreate(&copies, 1), d.cuStreamCreate(&kernels, 1), d.cuEventCreate(&event, 2);
  d.cuMemHostAlloc(&pinned, 128, 0);
  int overtaken[2] = {};
  for (int wait = 0; wait < 2; ++wait)
    for (int seed = 0; seed < 100; ++seed) {
      Words before(32, 5);
      d.cuMemcpyHtoD_v2(in.address, before.data(), 128);
      memset(pinned, 9, 128);
      d.configure("SCHEDULE", ("random:" + std::to_string(seed)).c_str());
      void *params[] = {&in.address, &out.address};
      d.cuLaunchKernel(m.function("k"), 1, 1, 1, 32, 1, 1, 0, kernels, params, nullptr);
      d.cuEventRecord(event, kernels);
      if (wait) d.cuStreamWaitEvent(copies, event, 0);
      d.cuMemcpyHtoDAsync_v2(in.address, pinned, 128, copies);
      d.cuStreamSynchronize(kernels), d.cuStreamSynchronize(copies);
      d.configure("SCHEDULE", "forward");
      overtaken[wait] += out.get()[0] != 5;
    }
  EXPECT(overtaken[0] > 0 && overtaken[1] == 0,
         std::to_string(overtaken[0]) + " without and " + std::to_string(overtaken[1]) + " with the wait");
  d.cuMemFreeHost(pinned), d.cuEventDestroy_v2(event), d.cuStreamDestroy_v2(copies), d.cuStreamDestroy_v2(kernels);
}

ISA_TEST("emulator", pinned_memory_in_use_is_not_freed) {
  Driver &d = driver();
  Buffer<uint32_t> b(32);
  void *stream = nullptr, *pinned = nullptr;
  d.cuStreamCreate(&stream, 1), d.cuMemHostAlloc(&pinned, 128, 0);
  memset(pinned, 1, 128);
  d.cuMemcpyHtoDAsync_v2(b.address, pinned, 128, stream);
  EXPECT(d.cuMemFreeHost(pinned) == INVALID_VALUE, "a queued copy reads it");
  EXPECT(d.cuStreamSynchronize(stream) == 0 && d.cuMemFreeHost(pinned) == 0, reportText());
  d.cuStreamDestroy_v2(stream);
}

ISA_TEST("emulator", a_failed_kernel_poisons_its_context) {
  Driver &d = driver();
  Module m(kernelText("trap;"));
  Buffer<uint32_t> b(Words(32));
  EXPECT(launch(m.function("k"), {}, {&b.address, &b.address}) == 719, reportText());
  unsigned long long p = 0;
  EXPECT(d.cuMemAlloc_v2(&p, 16) == 719 && d.cuCtxSynchronize() == 719, "later calls");
  renewContext();
  EXPECT(d.cuMemAlloc_v2(&p, 16) == 0 && d.cuMemFree_v2(p) == 0, "after a fresh context");
}

ISA_TEST("emulator", injected_failures) {
  Driver &d = driver();
  unsigned long long p[4] = {};
  d.reset();
  EXPECT(d.configure("FAIL", "cuMemAlloc_v2:2:2") == 0, reportText());
  EXPECT(
      d.cuMemAlloc_v2(&p[0], 16) == 0 && d.cuMemAlloc_v2(&p[1], 16) == OUT_OF_MEMORY && d.cuMemAlloc_v2(&p[2], 16) == 0,
      "one call");
  d.reset();
  d.configure("FAIL", "cuMemAlloc_v2:2:2:from,cuMemFree_v2:1:700");
  EXPECT(d.cuMemAlloc_v2(&p[1], 16) == 0 && d.cuMemAlloc_v2(&p[3], 16) == OUT_OF_MEMORY &&
             d.cuMemAlloc_v2(&p[3], 16) == OUT_OF_MEMORY,
         "from");
  EXPECT(d.cuMemFree_v2(p[0]) == 700 && d.cuMemFree_v2(p[0]) == 0, "another function");
  d.configure("FAIL", "");
  EXPECT(d.cuMemFree_v2(p[1]) == 0 && d.cuMemFree_v2(p[2]) == 0, reportText());
  EXPECT(d.configure("FAIL", "nonsense") == 1 && d.configure("SCHEDULE", "sideways") == 1 &&
             d.configure("NO_SUCH_KEY", "1") == 1,
         "bad values are refused");
}

ISA_TEST("emulator", memory_limit_devices_and_capability) {
  Driver &d = driver();
  unsigned long long p = 0;
  d.configure("MEMORY", "1M");
  EXPECT(d.cuMemAlloc_v2(&p, (1 << 20) + 1) == OUT_OF_MEMORY, "limit");
  d.configure("MEMORY", "8G");
  int n = 0, major = 0;
  d.configure("DEVICES", "3");
  EXPECT(!d.cuDeviceGetCount(&n) && n == 3, "devices");
  // Memory of device 0 is out of reach for a kernel of device 1, and so are its streams.
  Buffer<uint32_t> b(Words(32));
  void *second = nullptr, *first = nullptr;
  d.cuDevicePrimaryCtxRetain(&first, 0), d.cuDevicePrimaryCtxRetain(&second, 1);
  d.cuCtxSetCurrent(first);
  void *stream = nullptr;
  d.cuStreamCreate(&stream, 1);
  d.cuCtxSetCurrent(second);
  {
    Module m(kernelText(COPY));
    void *params[] = {&b.address, &b.address};
    EXPECT(d.cuLaunchKernel(m.function("k"), 1, 1, 1, 32, 1, 1, 0, stream, params, nullptr) == INVALID_HANDLE,
           "a stream of another device");
    EXPECT(launch(m.function("k"), {}, {&b.address, &b.address}) == 700 &&
               reportText().find("another device") != std::string::npos,
           reportText());
  }
  d.cuDevicePrimaryCtxRelease_v2(1);
  d.cuCtxSetCurrent(first);
  d.cuStreamDestroy_v2(stream);
  d.cuDevicePrimaryCtxRelease_v2(0);
  d.configure("DEVICES", "1");
  d.configure("CC", "7.5");
  EXPECT(!d.cuDeviceGetAttribute(&major, 75, 0) && major == 7, "capability");
  EXPECT(Module(kernelText(COPY)).status == 209, "PTX for sm_80 on 7.5");
  d.configure("CC", "8.0");
  d.configure("DRIVER", "10020");
  EXPECT(Module(kernelText(COPY)).status == 222, "PTX 7.0 on an old driver");
  d.configure("DRIVER", "13000");
}

ISA_TEST("emulator", leaks_are_reported) {
  Driver &d = driver();
  renewContext();
  d.reset();
  unsigned long long p = 0;
  void *s = nullptr;
  d.cuMemAlloc_v2(&p, 100), d.cuStreamCreate(&s, 0);
  renewContext();
  EXPECT(
      countersHave("\"leaks\": [{\"device\": 0, \"allocations\": 1, \"bytes\": 100, \"modules\": 0, \"streams\": 1,"),
      countersText());
  EXPECT(d.cuMemFree_v2(p) == INVALID_VALUE, "freed with the context");
  d.reset();
  renewContext();
  EXPECT(countersHave("\"leaks\": []"), countersText());
}

ISA_TEST("emulator", counters) {
  Driver &d = driver();
  d.reset();
  // 128 threads: coalesced load (4 sectors a warp), store with a stride of 32 bytes (32 sectors a warp); a column of 32
  // words in shared memory is 32 passes, a row is one.
  Module m(kernelText(
      "ld.global.u32 %r0, [%i];\nshl.b32 %r1, %t, 2;\nadd.u32 %r1, %r1, s;\nst.shared.u32 [%r1], %r0;\nbar.sync "
      "0;\nand.b32 %r2, %t, 31;\n"
      "shl.b32 %r2, %r2, 7;\nadd.u32 %r2, %r2, s;\nsetp.ge.u32 %p0, %t, 4;\nst.shared.u32 [%r2+512], %r0;\n"
      "mul.wide.u32 %d0, %t, 32;\nadd.u64 %d0, %out, %d0;\nst.global.u32 [%d0], %r0;\n"
      "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%f0,%f1,%f2,%f3}, {%r0,%r1}, {%r2}, {%f0,%f1,%f2,%f3};",
      ".shared .align 16 .b8 s[8192];\n"));
  Buffer<uint32_t> in(Words(32, 9)), out(Words(32 * 8, 0));
  EXPECT(launch(m.function("k"), {2, 32, 0}, {&in.address, &out.address}) == 0, reportText());
  for (const char *text : {"\"launches\": 1, \"ctas\": 2, \"barriers\": 2",
                           "\"global_load\": {\"sectors\": 8, \"sector_bytes\": 256, \"requested_bytes\": 256}",
                           "\"global_store\": {\"sectors\": 64, \"sector_bytes\": 2048, \"requested_bytes\": 256}",
                           "\"shared\": {\"wavefronts\": 66, \"ideal\": 4,",
                           "\"mma\": {\"mma.m16n8k8.f32.bf16.bf16.f32\": 2}", "\"ld.global\": 2", "\"bar\": 2"})
    EXPECT(countersHave(text), text + countersText());
}
