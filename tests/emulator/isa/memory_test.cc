// Loads and stores of every width and space, generic addresses, atomics, cp.async.
#include "kernel.h"

using namespace isa;

ISA_TEST("memory", narrow_loads_extend) {
  struct Row {
    const char *code;
    uint32_t want;
  };
  const Row rows[] = {{"ld.global.u8 %r0, [%in];", 0xf1},
                      {"ld.global.s8 %r0, [%in];", 0xfffffff1},
                      {"ld.global.u16 %r0, [%in];", 0x82f1},
                      {"ld.global.s16 %r0, [%in];", 0xffff82f1},
                      {"ld.global.b32 %r0, [%in];", 0xc38482f1},
                      {"ld.global.u8 %h0, [%in];\ncvt.u32.u16 %r0, %h0;", 0xf1},
                      {"ld.global.s8 %h0, [%in+1];\ncvt.s32.s16 %r0, %h0;", 0xffffff82},
                      {"ld.global.s32 %d0, [%in];\nshr.u64 %d0, %d0, 32;\ncvt.u32.u64 %r0, %d0;", 0xffffffff},
                      {"ld.global.nc.u32 %r0, [%in];", 0xc38482f1},
                      {"ld.volatile.global.u32 %r0, [%in];", 0xc38482f1},
                      {"ld.global.nc.L1::no_allocate.L2::128B.b32 %r0, [%in];", 0xc38482f1},
                      {"ld.relaxed.gpu.global.u32 %r0, [%in];", 0xc38482f1},
                      {"ld.u32 %r0, [%in];", 0xc38482f1},
                      {"ld.global.cg.f32 %f0, [%in];\nmov.b32 %r0, %f0;", 0xc38482f1}};
  for (const Row &r : rows)
    EXPECT_OUTPUT(kernelText(std::string(r.code) + "\nst.global.u32 [%o], %r0;"), Words{0xc38482f1, 5},
                  Words(32, r.want));
}

ISA_TEST("memory", narrow_stores) {
  EXPECT_OUTPUT(kernelText("ld.global.u32 %r0, [%i];\nst.global.u8 [%o], %r0;\nshr.u32 %r0, %r0, 8;\ncvt.u16.u32 %h0, "
                           "%r0;\nst.global.u8 [%o+1], %h0;\n"
                           "st.global.u16 [%o+2], 7;"),
                Words(32, 0x1234), Words(32, 0x00071234));
}

ISA_TEST("memory", vectors) {
  std::string move = "mul.wide.u32 %d0, %t, 16;\nadd.u64 %d1, %in, %d0;\nadd.u64 %d2, %out, %d0;\n";
  Words data = iota(128, 1000);
  for (const char *code :
       {"ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%d1];\nst.global.v4.u32 [%d2], {%r0, %r1, %r2, %r3};",
        "ld.global.nc.v4.f32 {%f0, %f1, %f2, %f3}, [%d1];\nst.global.wt.v4.f32 [%d2], {%f0, %f1, %f2, %f3};",
        "ld.global.v2.b64 {%d3, %d4}, [%d1];\nst.global.v2.b64 [%d2], {%d3, %d4};",
        "ld.v2.u32 {%r0, %r1}, [%d1];\nld.v2.u32 {%r2, %r3}, [%d1+8];\nst.v2.u32 [%d2], {%r0, %r1};\nst.v2.u32 "
        "[%d2+8], {%r2, %r3};",
        "ld.global.v4.u16 {%h0, %h1, %h2, %h3}, [%d1];\nld.global.b64 %d3, [%d1+8];\nst.global.v4.u16 [%d2], {%h0, "
        "%h1, %h2, %h3};\n"
        "st.global.b64 [%d2+8], %d3;"})
    EXPECT_OUTPUT(kernelText(move + code), data, data);
}

ISA_TEST("memory", shared_local_and_generic_addresses) {
  std::string local = ".local .align 8 .b8 stack[64];\n",
              shared = ".extern .shared .align 16 .b8 dyn[];\n.shared .align 4 .b8 fixed[128];\n";
  EXPECT_OUTPUT(kernelText("ld.global.u32 %r0, [%i];\nst.local.u32 [stack+8], %r0;\nmov.u64 %d0, stack;\nld.local.u32 "
                           "%r1, [%d0+8];\ncvta.local.u64 %d1, %d0;\n"
                           "ld.u32 %r2, [%d1+8];\nadd.u32 %r1, %r1, %r2;\nst.global.u32 [%o], %r1;",
                           "", local),
                iota(32), iota(32, 0, 2));
  EXPECT_OUTPUT(
      kernelText(
          "mov.u32 %r5, fixed;\nshl.b32 %r6, %t, 2;\nadd.u32 %r5, %r5, %r6;\nst.shared.u32 [%r5], %t;\nmov.u64 %d0, "
          "dyn;\ncvta.shared.u64 %d1, %d0;\n"
          "cvt.u64.u32 %d2, %r6;\nadd.u64 %d1, %d1, %d2;\nadd.u32 %r7, %t, 100;\nst.u32 [%d1], "
          "%r7;\ncvta.to.shared.u64 %d3, %d1;\n"
          "ld.shared.u32 %r8, [%d3];\nld.shared.u32 %r9, [%r5];\nadd.u32 %r8, %r8, %r9;\nst.global.u32 [%o], %r8;",
          shared),
      Words(32), iota(32, 100, 2), {1, 32, 128});
  EXPECT_OUTPUT(kernelText("mov.u64 %d0, fixed;\ncvta.shared.u64 %d0, %d0;\nisspacep.shared %p0, %d0;\nisspacep.global "
                           "%p1, %in;\nisspacep.local %p2, %d0;\n"
                           "selp.u32 %r0, 1, 0, %p0;\nselp.u32 %r1, 2, 0, %p1;\nselp.u32 %r2, 4, 0, %p2;\nadd.u32 %r0, "
                           "%r0, %r1;\nadd.u32 %r0, %r0, %r2;\n"
                           "st.global.u32 [%o], %r0;\nprefetch.global.L2 [%in];",
                           shared),
                Words(32), Words(32, 3), {1, 32, 128});
}

ISA_TEST("memory", module_variables) {
  std::string vars =
      ".const .align 4 .b8 ctab[8] = {1, 0, 0, 0, 2};\n.global .align 4 .u32 g = 40;\n.global .align 4 .u32 list[3] = "
      "{7, 8, 9};\n"
      ".global .align 8 .u64 where = list+4;\n";
  EXPECT_OUTPUT(kernelText("mov.u64 %d0, ctab;\nld.const.u32 %r0, [%d0+4];\nld.const.u32 %r1, [ctab];\nld.global.u32 "
                           "%r2, [g];\nld.global.u64 %d1, [where];\n"
                           "ld.global.u32 %r3, [%d1];\nadd.u32 %r0, %r0, %r1;\nadd.u32 %r0, %r0, %r2;\nadd.u32 %r0, "
                           "%r0, %r3;\nst.global.u32 [%o], %r0;",
                           vars),
                Words(32), Words(32, 51));
}

ISA_TEST("memory", kernel_parameters) {
  Module m(ptxHeader() +
           ".visible .entry k(.param .u64 out, .param .align 8 .b8 s[24], .param .u16 h, .param .f32 f)\n{\n.reg .b64 "
           "%d<4>;\n.reg .b32 %r<4>;\n"
           ".reg .f32 %f<2>;\n.reg .b16 %h;\nld.param.u64 %d0, [out];\nld.param.u32 %r0, [s+4];\nld.param.v2.u32 {%r1, "
           "%r2}, [s+16];\nld.param.u16 %h, [h];\n"
           "ld.param.f32 %f0, [f];\nst.global.v2.u32 [%d0], {%r0, %r1};\nst.global.u32 [%d0+8], %r2;\nst.global.u16 "
           "[%d0+12], %h;\nst.global.u16 [%d0+14], 0;\n"
           "st.global.f32 [%d0+16], %f0;\nret;\n}\n");
  EXPECT(m.status == 0, reportText());
  Buffer<uint32_t> out(5);
  uint32_t s[6] = {1, 2, 3, 4, 5, 6};
  uint16_t h = 77;
  float f = 1.5f;
  EXPECT(launch(m.function("k"), {1, 1, 0}, {&out.address, s, &h, &f}) == 0, reportText());
  EXPECT((out.get() == Words{2, 5, 6, 77, floatWord(1.5f)}), "wrong parameters");
  // The same through the buffer form.
  struct __attribute__((packed)) {
    unsigned long long out;
    uint32_t s[6];
    uint16_t h;
    uint16_t pad;
    float f;
  } block = {out.address, {9, 8, 7, 6, 5, 4}, 3, 0, 2.5f};
  size_t size = sizeof block;
  void *extra[] = {reinterpret_cast<void *>(1), &block, reinterpret_cast<void *>(2), &size, nullptr};
  EXPECT(driver().cuLaunchKernel(m.function("k"), 1, 1, 1, 1, 1, 1, 0, nullptr, nullptr, extra) == 0, reportText());
  EXPECT((out.get() == Words{8, 5, 4, 3, floatWord(2.5f)}), "wrong parameters in a buffer");
}

// 32 lanes on one word: the results are a permutation of what one order gives, the final value does not depend on it.
ISA_TEST("atomic", final_values) {
  struct Row {
    const char *code;
    uint32_t start, want;
  };
  const Row rows[] = {{"atom.global.add.u32 %r1, [%out], %t;", 5, 501},
                      {"atom.global.add.s32 %r1, [%out], -1;", 5, static_cast<uint32_t>(-27)},
                      {"atom.global.max.u32 %r1, [%out], %t;", 5, 31},
                      {"atom.global.min.s32 %r1, [%out], %t;", 5, 0},
                      {"atom.global.max.s32 %r1, [%out], %t;", 5, 31},
                      {"atom.global.min.u32 %r1, [%out], %t;", 5, 0},
                      {"atom.global.or.b32 %r1, [%out], %t;", 32, 63},
                      {"atom.global.and.b32 %r1, [%out], 6;", 5, 4},
                      {"atom.global.xor.b32 %r1, [%out], %t;", 5, 5},
                      {"atom.global.inc.u32 %r1, [%out], 9;", 5, 7},
                      {"atom.global.dec.u32 %r1, [%out], 9;", 5, 3},
                      {"atom.global.exch.b32 %r1, [%out], 77;", 5, 77},
                      {"atom.global.cas.b32 %r1, [%out], 5, 9;", 5, 9},
                      {"atom.global.add.f32 %f1, [%out], 0f3F800000;", 0, 0x42000000},
                      {"red.global.add.u32 [%out], 2;", 5, 69},
                      {"red.global.add.f32 [%out], 0f3F800000;", 0, 0x42000000},
                      {"red.relaxed.gpu.global.max.s32 [%out], %t;", 5, 31},
                      {"atom.add.u32 %r1, [%out], 1;", 5, 37},
                      {"mov.u32 %r2, 0x3c003c00;\natom.global.add.noftz.f16x2 %r1, [%out], %r2;", 0, 0x50005000},
                      {"mov.u32 %r2, 0x3f803f80;\nred.global.add.noftz.bf16x2 [%out], %r2;", 0, 0x42004200},
                      {"mov.u64 %d0, 3;\natom.global.add.u64 %d1, [%out], %d0;", 5, 101},
                      {"mov.u64 %d0, 3;\natom.global.exch.b64 %d1, [%out], %d0;", 5, 3},
                      {"mov.u64 %d0, 3;\natom.global.max.u64 %d1, [%out], %d0;", 1, 3},
                      {"mov.u64 %d0, 5;\nmov.u64 %d2, 8;\natom.global.cas.b64 %d1, [%out], %d0, %d2;", 5, 8}};
  for (const Row &r : rows) {
    Module m(kernelText(r.code));
    if (m.status && lacksForms()) continue;
    EXPECT(m.status == 0, std::string(r.code) + " " + reportText());
    Buffer<uint32_t> in(Words(64)), out(Words{r.start, 0});
    EXPECT(launch(m.function("k"), {}, {&in.address, &out.address}) == 0, reportText());
    Words got = out.get();
    EXPECT(got.size() == 2 && got[0] == r.want,
           std::string(r.code) + " gives " + std::to_string(got.empty() ? 0 : got[0]));
  }
}

ISA_TEST("atomic", old_values_and_shared_memory) {
  EXPECT_OUTPUT(kernelText("mov.u32 %r0, s;\nsetp.eq.u32 %p0, %t, 0;\n@%p0 st.shared.u32 [s], 0;\nbar.sync "
                           "0;\natom.shared.add.u32 %r1, [%r0], 1;\n"
                           "bar.sync 0;\nld.shared.u32 %r2, [s];\nmov.u32 %r3, 1;\nshl.b32 %r3, %r3, "
                           "%r1;\nredux.sync.or.b32 %r3, %r3, -1;\nadd.u32 %r2, %r2, %r3;\n"
                           "st.global.u32 [%o], %r2;",
                           ".shared .align 4 .u32 s;\n"),
                Words(32), Words(32, 31));
}

static std::string copyKernel(int size, const std::string &operands, const char *cache = "ca") {
  std::string n = std::to_string(size);
  return kernelText("mul.lo.u32 %r0, %t, " + n +
                        ";\nmov.u32 %r1, s;\nadd.u32 %r1, %r1, %r0;\ncvt.u64.u32 %d0, %r0;\nadd.u64 %d1, %in, "
                        "%d0;\nadd.u64 %d2, %out, %d0;\n"
                        "and.b32 %r5, %t, 1;\nsetp.ne.u32 %p0, %r5, 0;\nshl.b32 %r6, %r5, 2;\ncp.async." +
                        cache + ".shared.global [%r1], [%d1], " + n + operands +
                        ";\ncp.async.commit_group;\ncp.async.wait_group 0;\nbar.sync 0;\n" +
                        (size == 4   ? "ld.shared.u32 %r2, [%r1];\nst.global.u32 [%d2], %r2;"
                         : size == 8 ? "ld.shared.u64 %d3, [%r1];\nst.global.u64 [%d2], %d3;"
                                     : "ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [%r1];\nst.global.v4.u32 [%d2], "
                                       "{%r10, %r11, %r12, %r13};"),
                    ".shared .align 16 .b8 s[512];\n");
}

ISA_TEST("async", copies_of_all_sizes_zero_fill_and_ignore) {
  for (int size : {4, 8, 16}) {
    size_t words = static_cast<size_t>(size) * 8, per = static_cast<size_t>(size) / 4;
    Words in = iota(words, 1);
    EXPECT_OUTPUT(copyKernel(size, ""), in, in);
    // Odd threads read 4 bytes, even ones none; the rest is zero.
    EXPECT_OUTPUT(copyKernel(size, ", %r6"), in,
                  fill(words, [=](uint32_t k) { return k / per % 2 && k % per == 0 ? k + 1 : 0; }));
    EXPECT_OUTPUT(copyKernel(size, ", %p0"), in, fill(words, [=](uint32_t k) { return k / per % 2 ? 0 : k + 1; }));
    EXPECT_OUTPUT(copyKernel(size, ", !%p0"), in, fill(words, [=](uint32_t k) { return k / per % 2 ? k + 1 : 0; }));
  }
  EXPECT_OUTPUT(copyKernel(16, "", "cg"), iota(128), iota(128));
  EXPECT_OUTPUT(copyKernel(16, ", 8", "cg"), iota(128, 1), fill(128, [](uint32_t k) { return k % 4 < 2 ? k + 1 : 0; }));
}

// Two groups in flight: wait_group 1 makes the first one visible, wait_all the second.
ISA_TEST("async", groups) {
  EXPECT_OUTPUT(
      kernelText("shl.b32 %r0, %t, 2;\nmov.u32 %r1, s;\nadd.u32 %r1, %r1, %r0;\ncp.async.ca.shared.global [%r1], [%i], "
                 "4;\ncp.async.commit_group;\n"
                 "cp.async.ca.shared.global.L2::128B [%r1+128], [%i+128], "
                 "4;\ncp.async.commit_group;\ncp.async.wait_group 1;\nld.shared.u32 %r2, [%r1];\n"
                 "cp.async.wait_all;\nld.shared.u32 %r3, [%r1+128];\nadd.u32 %r2, %r2, %r3;\nst.global.u32 [%o], %r2;",
                 ".shared .align 16 .b8 s[256];\n"),
      iota(64), iota(32, 32, 2));
}
