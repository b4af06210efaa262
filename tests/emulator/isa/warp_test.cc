// Instructions between lanes, control flow and barriers.
#include "kernel.h"

using namespace isa;

static std::string shuffle(const char *mode, int b, const char *c) {
  return kernelText("ld.global.u32 %r0, [%i];\nshfl.sync." + std::string(mode) + ".b32 %r1|%p0, %r0, " +
                    std::to_string(b) + ", " + c +
                    ", -1;\nselp.u32 %r2, 256, 0, %p0;\nadd.u32 %r1, %r1, %r2;\nst.global.u32 [%o], %r1;");
}

ISA_TEST("warp", shfl_modes) {
  Words in = iota(32, 100);
  EXPECT_OUTPUT(shuffle("bfly", 5, "31"), in, fill(32, [](uint32_t l) { return 100 + (l ^ 5) + 256; }));
  EXPECT_OUTPUT(shuffle("idx", 3, "31"), in, fill(32, [](uint32_t) { return 103u + 256; }));
  // Out of range: the lane keeps its own value and the predicate is false.
  EXPECT_OUTPUT(shuffle("up", 2, "0"), in, fill(32, [](uint32_t l) { return l >= 2 ? 100 + l - 2 + 256 : 100 + l; }));
  EXPECT_OUTPUT(shuffle("down", 2, "31"), in,
                fill(32, [](uint32_t l) { return l < 30 ? 100 + l + 2 + 256 : 100 + l; }));
}

// Segments of 8 lanes: segment mask 0x18 in bits 8-12; clamp 7 (down, idx) or 0 (up).
ISA_TEST("warp", shfl_segments) {
  Words in = iota(32, 100);
  EXPECT_OUTPUT(shuffle("down", 1, "0x1807"), in,
                fill(32, [](uint32_t l) { return l % 8 < 7 ? 101 + l + 256 : 100 + l; }));
  EXPECT_OUTPUT(shuffle("up", 1, "0x1800"), in, fill(32, [](uint32_t l) { return l % 8 ? 99 + l + 256 : 100 + l; }));
  EXPECT_OUTPUT(shuffle("idx", 2, "0x1807"), in, fill(32, [](uint32_t l) { return 100 + l / 8 * 8 + 2 + 256; }));
  EXPECT_OUTPUT(shuffle("bfly", 4, "0x1807"), in, fill(32, [](uint32_t l) { return 100 + (l ^ 4) + 256; }));
}

ISA_TEST("warp", vote) {
  std::string compare = "ld.global.u32 %r0, [%i];\nsetp.gt.u32 %p0, %r0, 15;\n",
              store = "selp.u32 %r1, 1, 0, %p1;\nst.global.u32 [%o], %r1;";
  Words in = iota(32);
  EXPECT_OUTPUT(kernelText(compare + "vote.sync.ballot.b32 %r1, %p0, -1;\nst.global.u32 [%o], %r1;"), in,
                Words(32, 0xffff0000));
  EXPECT_OUTPUT(kernelText(compare + "vote.sync.any.pred %p1, %p0, -1;\n" + store), in, Words(32, 1));
  EXPECT_OUTPUT(kernelText(compare + "vote.sync.all.pred %p1, %p0, -1;\n" + store), in, Words(32, 0));
  EXPECT_OUTPUT(kernelText(compare + "vote.sync.uni.pred %p1, %p0, -1;\n" + store), in, Words(32, 0));
  EXPECT_OUTPUT(kernelText(compare + "vote.sync.all.pred %p1, !%p0, -1;\n" + store), Words(32, 3), Words(32, 1));
}

ISA_TEST("warp", match) {
  std::string load = "ld.global.u32 %r0, [%i];\n";
  Words in = fill(32, [](uint32_t l) { return l % 2; });
  EXPECT_OUTPUT(kernelText(load + "match.any.sync.b32 %r1, %r0, -1;\nst.global.u32 [%o], %r1;"), in,
                fill(32, [](uint32_t l) { return l % 2 ? 0xaaaaaaaa : 0x55555555; }));
  EXPECT_OUTPUT(kernelText(load + "match.all.sync.b32 %r1|%p0, %r0, -1;\nselp.u32 %r2, 1, 0, %p0;\nadd.u32 %r1, %r1, "
                                  "%r2;\nst.global.u32 [%o], %r1;"),
                in, Words(32, 0));
  EXPECT_OUTPUT(kernelText(load + "cvt.u64.u32 %d0, %r0;\nmatch.any.sync.b64 %r1, %d0, -1;\nst.global.u32 [%o], %r1;"),
                in, fill(32, [](uint32_t l) { return l % 2 ? 0xaaaaaaaa : 0x55555555; }));
}

ISA_TEST("warp", redux) {
  struct Row {
    const char *form;
    uint32_t want;
  };
  // Over the lanes -16 .. 15.
  const Row rows[] = {{"add.s32", static_cast<uint32_t>(-16)},
                      {"min.s32", static_cast<uint32_t>(-16)},
                      {"max.s32", 15},
                      {"min.u32", 0},
                      {"max.u32", 0xffffffff},
                      {"and.b32", 0},
                      {"or.b32", 0xffffffff},
                      {"xor.b32", 0},
                      {"add.u32", static_cast<uint32_t>(-16)}};
  for (const Row &r : rows)
    EXPECT_OUTPUT(kernelText(std::string("ld.global.u32 %r0, [%i];\nredux.sync.") + r.form +
                             " %r1, %r0, -1;\nst.global.u32 [%o], %r1;"),
                  iota(32, static_cast<uint32_t>(-16)), Words(32, r.want));
}

ISA_TEST("warp", member_masks_of_half_warps) {
  EXPECT_OUTPUT(kernelText("setp.lt.u32 %p0, %t, 16;\nmov.u32 %r0, %t;\n@%p0 bra LOW;\nredux.sync.add.u32 %r1, %r0, "
                           "0xffff0000;\nbra DONE;\n"
                           "LOW:\nredux.sync.add.u32 %r1, %r0, 0xffff;\nDONE:\nst.global.u32 [%o], %r1;"),
                Words(32), fill(32, [](uint32_t l) { return l < 16 ? 120u : 376u; }));
}

ISA_TEST("warp", activemask_and_lane_registers) {
  EXPECT_OUTPUT(
      kernelText("mov.u32 %r0, 0;\nsetp.lt.u32 %p0, %t, 4;\n@%p0 activemask.b32 %r0;\nst.global.u32 [%o], %r0;"),
      Words(32), fill(32, [](uint32_t l) { return l < 4 ? 15u : 0u; }));
  EXPECT_OUTPUT(
      kernelText(
          "mov.u32 %r0, %laneid;\nmov.u32 %r1, %lanemask_lt;\nmov.u32 %r2, %lanemask_ge;\nadd.u32 %r1, %r1, %r2;\n"
          "xor.b32 %r0, %r0, %r1;\nst.global.u32 [%o], %r0;"),
      Words(32), fill(32, [](uint32_t l) { return ~l; }));
  EXPECT_OUTPUT(
      kernelText(
          "mov.u32 %r1, %lanemask_le;\nmov.u32 %r2, %lanemask_gt;\nadd.u32 %r1, %r1, %r2;\nmov.u32 %r0, %lanemask_eq;\n"
          "xor.b32 %r0, %r0, %r1;\nst.global.u32 [%o], %r0;"),
      Words(32), fill(32, [](uint32_t l) { return ~(1u << l); }));
}

// Each lane takes its own number of turns; the lanes meet again after the loop.
ISA_TEST("control", loops_diverge_and_meet) {
  EXPECT_OUTPUT(kernelText("mov.u32 %r0, 0;\nmov.u32 %r1, 0;\nLOOP:\nadd.u32 %r0, %r0, %r1;\nadd.u32 %r1, %r1, "
                           "1;\nsetp.le.u32 %p0, %r1, %t;\n"
                           "@%p0 bra LOOP;\nredux.sync.add.u32 %r2, %r0, -1;\nst.global.u32 [%o], %r2;"),
                Words(32), Words(32, 5456));
}

ISA_TEST("control", nested_branches_and_early_exit) {
  EXPECT_OUTPUT(
      kernelText(
          "and.b32 %r0, %t, 3;\nsetp.eq.u32 %p0, %r0, 0;\n@%p0 ret;\nsetp.eq.u32 %p1, %r0, 1;\n@!%p1 bra OTHER;\n"
          "mov.u32 %r1, 11;\nbra.uni STORE;\nOTHER:\nsetp.eq.u32 %p2, %r0, 2;\nmov.u32 %r1, 33;\n@%p2 mov.u32 %r1, "
          "22;\n"
          "STORE:\nst.global.u32 [%o], %r1;"),
      Words(32), fill(32, [](uint32_t l) { return l % 4 * 11; }));
}

ISA_TEST("control", brx_idx) {
  EXPECT_OUTPUT(kernelText("and.b32 %r0, %t, 3;\nTABLE: .branchtargets A, B, C, A;\nbrx.idx %r0, TABLE;\nA:\nmov.u32 "
                           "%r1, 1;\nbra S;\nB:\n"
                           "mov.u32 %r1, 2;\nbra S;\nC:\nmov.u32 %r1, 3;\nS:\nst.global.u32 [%o], %r1;"),
                Words(32), fill(32, [](uint32_t l) { return l % 4 == 3 ? 1 : l % 4 + 1; }));
}

ISA_TEST("control", call_with_parameters) {
  std::string f =
      ".func (.param .b32 res) twice(.param .b32 x, .param .b32 y)\n{\n  .reg .b32 %a<3>;\n  .reg .pred %q;\n"
      "  ld.param.b32 %a0, [x];\n  ld.param.b32 %a1, [y];\n  setp.gt.u32 %q, %a0, 20;\n  mad.lo.u32 %a2, %a0, 2, %a1;\n"
      "  st.param.b32 [res+0], %a2;\n  @%q ret;\n  add.u32 %a2, %a2, 1000;\n  st.param.b32 [res+0], %a2;\n  ret;\n}\n";
  EXPECT_OUTPUT(
      kernelText(
          "setp.lt.u32 %p0, %t, 30;\nmov.u32 %r1, 7;\n@!%p0 bra SKIP;\n{\n.param .b32 p0;\nst.param.b32 [p0+0], %t;\n"
          ".param .b32 p1;\nst.param.b32 [p1+0], 5;\n.param .b32 ret0;\ncall.uni (ret0), twice, (p0, "
          "p1);\nld.param.b32 %r1, [ret0+0];\n}\n"
          "SKIP:\nst.global.u32 [%o], %r1;",
          f),
      Words(32), fill(32, [](uint32_t l) { return l >= 30 ? 7u : 2 * l + 5 + (l > 20 ? 0 : 1000); }));
}

ISA_TEST("control", special_registers_of_the_grid) {
  EXPECT_OUTPUT(
      kernelText(
          "mov.u32 %r0, %ctaid.x;\nmov.u32 %r1, %ntid.x;\nmad.lo.u32 %r2, %r0, %r1, %t;\nmul.wide.u32 %d0, %r2, 4;\n"
          "add.u64 %d0, %out, %d0;\nmov.u32 %r3, %nctaid.x;\nmad.lo.u32 %r3, %r3, 1000, %r2;\nst.global.u32 [%d0], "
          "%r3;"),
      Words(128), iota(128, 2000), {2, 64, 0});
}

static const char *SHARED_WORDS = ".shared .align 4 .b8 s[512];\n";

ISA_TEST("barrier", sync_orders_shared_memory) {
  EXPECT_OUTPUT(
      kernelText("mov.u32 %r0, s;\nshl.b32 %r1, %t, 2;\nadd.u32 %r2, %r0, %r1;\nst.shared.u32 [%r2], %t;\nbar.sync 0;\n"
                 "sub.u32 %r3, 127, %t;\nshl.b32 %r3, %r3, 2;\nadd.u32 %r3, %r0, %r3;\nld.shared.u32 %r4, "
                 "[%r3];\nst.global.u32 [%o], %r4;",
                 SHARED_WORDS),
      Words(128), fill(128, [](uint32_t t) { return 127 - t; }), {1, 128, 0});
}

// Warps 0 and 1 produce for warps 2 and 3 through barrier 1 with 128 threads: arrive does not wait.
ISA_TEST("barrier", arrive_and_named_barriers) {
  EXPECT_OUTPUT(
      kernelText(
          "mov.u32 %r0, s;\nsetp.ge.u32 %p0, %t, 64;\n@%p0 bra CONSUME;\nshl.b32 %r1, %t, 2;\nadd.u32 %r2, %r0, %r1;\n"
          "st.shared.u32 [%r2], %t;\nbarrier.arrive 1, 128;\nret;\nCONSUME:\nbarrier.sync 1, 128;\nsub.u32 %r3, %t, "
          "64;\nshl.b32 %r1, %r3, 2;\n"
          "add.u32 %r2, %r0, %r1;\nld.shared.u32 %r4, [%r2];\nst.global.u32 [%o], %r4;",
          SHARED_WORDS),
      Words(128), fill(128, [](uint32_t t) { return t < 64 ? 0 : t - 64; }), {1, 128, 0});
}

ISA_TEST("barrier", reductions) {
  std::string compare = "setp.lt.u32 %p0, %t, 10;\n", store = "selp.u32 %r0, 1, 0, %p1;\nst.global.u32 [%o], %r0;";
  EXPECT_OUTPUT(kernelText(compare + "bar.red.popc.u32 %r0, 0, %p0;\nst.global.u32 [%o], %r0;"), Words(64),
                Words(64, 10), {1, 64, 0});
  EXPECT_OUTPUT(kernelText(compare + "bar.red.and.pred %p1, 0, %p0;\n" + store), Words(64), Words(64, 0), {1, 64, 0});
  EXPECT_OUTPUT(kernelText(compare + "bar.red.or.pred %p1, 0, %p0;\n" + store), Words(64), Words(64, 1), {1, 64, 0});
  EXPECT_OUTPUT(kernelText(compare + "barrier.cta.red.popc.aligned.u32 %r0, 0, !%p0;\nst.global.u32 [%o], %r0;"),
                Words(64), Words(64, 54), {1, 64, 0});
}
