// What the emulator refuses. Every test has a kernel that is wrong in one way and, where it says more, its right twin.
#include "kernel.h"

using namespace isa;

namespace {

// The driver codes that the checks return.
enum {
  LAUNCH_FAILED = 719,
  ILLEGAL_ADDRESS = 700,
  MISALIGNED = 716,
  INVALID_PTX = 218,
  INVALID_VALUE = 1,
  TIMEOUT = 702
};

void expectFault(const char *file, int line, const std::string &ptx, int code, const std::string &text,
                 Shape shape = {}) {
  for (const char *schedule : {"forward", "reverse", "random:7"}) {
    driver().configure("SCHEDULE", schedule);
    driver().reset();
    Outcome r = runKernel(ptx, Words(256, 1), 256, shape);
    if (r.status != code)
      failed(file, line,
             std::string(schedule) + ": status " + std::to_string(r.status) + ", expected " + std::to_string(code) +
                 " " + reportText());
    else if (reportText().find(text) == std::string::npos)
      failed(file, line, std::string(schedule) + ": no \"" + text + "\" in: " + reportText());
  }
  driver().configure("SCHEDULE", "forward");
}

void expectFine(const char *file, int line, const std::string &ptx, Shape shape = {}) {
  for (const char *schedule : {"forward", "reverse", "random:7"}) {
    driver().configure("SCHEDULE", schedule);
    driver().reset();
    Outcome r = runKernel(ptx, Words(256, 1), 256, shape);
    if (r.status)
      failed(file, line, std::string(schedule) + ": status " + std::to_string(r.status) + " " + reportText());
  }
  driver().configure("SCHEDULE", "forward");
}

#define FAULT(...) expectFault(__FILE__, __LINE__, __VA_ARGS__)
#define FINE(...) expectFine(__FILE__, __LINE__, __VA_ARGS__)

const char *S = ".shared .align 16 .b8 s[512];\n";
// %r2 = address of this thread's word in s, %r3 = that of the next thread (128 threads, wrapping).
const char *ADDRESSES =
    "mov.u32 %r0, s;\nshl.b32 %r1, %t, 2;\nadd.u32 %r2, %r0, %r1;\nadd.u32 %r3, %t, 1;\nand.b32 %r3, %r3, "
    "127;\nshl.b32 %r3, %r3, 2;\n"
    "add.u32 %r3, %r0, %r3;\n";

std::string shared(const std::string &body) { return kernelText(ADDRESSES + body, S); }

}  // namespace

ISA_TEST("emulator", bounds) {
  FAULT(kernelText("ld.global.u32 %r0, [%in+1024];"), ILLEGAL_ADDRESS,
        "0 bytes past the end of the allocation of 1024 bytes");
  FAULT(kernelText("ld.global.u32 %r0, [%in+-4];"), ILLEGAL_ADDRESS, "4 bytes before");
  FAULT(kernelText("st.global.u32 [%i+1020], %t;"), ILLEGAL_ADDRESS, "global write of 4 bytes");
  FAULT(kernelText("ld.global.v2.u32 {%r0, %r1}, [%in+1024];"), ILLEGAL_ADDRESS, "global read of 8 bytes");
  FAULT(kernelText("mov.u64 %d0, 0;\nld.global.u32 %r0, [%d0];"), ILLEGAL_ADDRESS, "null pointer");
  FAULT(kernelText("ld.shared.u32 %r0, [s+512];", S), ILLEGAL_ADDRESS, "shared read");
  FAULT(kernelText("mov.u32 %r1, 0;\nst.shared.u32 [%r1], %t;", S), ILLEGAL_ADDRESS, "shared write");
  FAULT(kernelText("ld.local.u32 %r0, [stack+16];", "", ".local .align 4 .b8 stack[16];\n"), ILLEGAL_ADDRESS,
        "local read");
  FAULT(kernelText("ld.param.u64 %d0, [in+16];"), ILLEGAL_ADDRESS, "param read");
  FAULT(kernelText("atom.global.add.u32 %r0, [%in+1024], 1;"), ILLEGAL_ADDRESS, "global atomic");
  FAULT(kernelText("st.global.u32 [c], %t;", ".const .align 4 .u32 c = 1;\n"), INVALID_PTX, "const memory");
  FAULT(kernelText("mov.u64 %d0, c;\nst.u32 [%d0], %t;", ".const .align 4 .u32 c = 1;\n"), ILLEGAL_ADDRESS,
        "constant variable c");
  FAULT(kernelText("cp.async.ca.shared.global [s], [%in+1024], 4;\ncp.async.wait_all;", S), ILLEGAL_ADDRESS,
        "past the end", {1, 1, 0});
  FAULT(kernelText("shl.b32 %r0, %t, 6;\nadd.u32 %r0, %r0, s;\nldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1, %r2, "
                   "%r3, %r4}, [%r0];",
                   S),
        ILLEGAL_ADDRESS, "shared read of 16 bytes");
}

ISA_TEST("emulator", alignment) {
  FAULT(kernelText("ld.global.u32 %r0, [%in+2];"), MISALIGNED, "misaligned");
  FAULT(kernelText("ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%in+8];"), MISALIGNED, "global read of 16 bytes");
  FAULT(kernelText("st.shared.u64 [s+4], %in;", S), MISALIGNED, "shared write of 8 bytes");
  FAULT(kernelText("ld.local.u32 %r0, [stack+2];", "", ".local .align 4 .b8 stack[16];\n"), MISALIGNED, "local read");
  FAULT(kernelText("cp.async.cg.shared.global [s], [%in+4], 16;\ncp.async.wait_all;", S), MISALIGNED, "misaligned",
        {1, 1, 0});
}

ISA_TEST("emulator", use_after_free_and_unwritten_global_memory) {
  Module m(kernelText("ld.global.u32 %r0, [%i];\nst.global.u32 [%o], %r0;"));
  unsigned long long gone = 0;
  Buffer<uint32_t> out(32);
  driver().cuMemAlloc_v2(&gone, 128);
  driver().reset();
  EXPECT(launch(m.function("k"), {}, {&gone, &out.address}) == LAUNCH_FAILED, reportText());
  EXPECT(reportText().find("never written") != std::string::npos, reportText());
  renewContext();
  Module again(kernelText("ld.global.u32 %r0, [%i];\nst.global.u32 [%o], %r0;"));
  Buffer<uint32_t> target(32);
  driver().cuMemAlloc_v2(&gone, 128);
  Words data(32, 1);
  driver().cuMemcpyHtoD_v2(gone, data.data(), 128);
  EXPECT(launch(again.function("k"), {}, {&gone, &target.address}) == 0, reportText());
  driver().cuMemFree_v2(gone);
  EXPECT(launch(again.function("k"), {}, {&gone, &target.address}) == ILLEGAL_ADDRESS, reportText());
  EXPECT(reportText().find("of a freed allocation of 128") != std::string::npos, reportText());
  renewContext();
}

ISA_TEST("emulator", copies_out_of_unwritten_memory) {
  Buffer<uint32_t> b(8);
  Words out;
  driver().reset();
  EXPECT(b.read(out) == ILLEGAL_ADDRESS, reportText());
  uint32_t one = 1;
  driver().cuMemcpyHtoD_v2(b.address, &one, 4);
  EXPECT(driver().cuMemcpyDtoH_v2(&one, b.address, 4) == 0, reportText());
  EXPECT(driver().cuMemcpyDtoH_v2(&one, b.address + 2, 4) == ILLEGAL_ADDRESS, reportText());
  driver().configure("CHECKS", "init,race");
  EXPECT(b.read(out) == 0, reportText());
  driver().configure("CHECKS", "on");
}

ISA_TEST("emulator", unwritten_shared_memory) {
  FAULT(shared("ld.shared.u32 %r4, [%r2];"), LAUNCH_FAILED, "never written", {1, 128, 0});
  FAULT(shared("st.shared.u16 [%r2], 1;\nld.shared.u32 %r4, [%r2];"), LAUNCH_FAILED, "never written", {1, 128, 0});
  FINE(shared("st.shared.u16 [%r2], 1;\nst.shared.u16 [%r2+2], 1;\nld.shared.u32 %r4, [%r2];"), {1, 128, 0});
}

ISA_TEST("emulator", races_between_warps) {
  Shape block = {1, 128, 0};
  FAULT(shared("st.shared.u32 [%r2], %t;\nld.shared.u32 %r4, [%r3];"), LAUNCH_FAILED, "", block);
  FINE(shared("st.shared.u32 [%r2], %t;\nbar.sync 0;\nld.shared.u32 %r4, [%r3];"), block);
  // Write after read without a barrier.
  FAULT(shared("st.shared.u32 [%r2], %t;\nbar.sync 0;\nld.shared.u32 %r4, [%r3];\nst.shared.u32 [%r2], %r4;"),
        LAUNCH_FAILED, "race", block);
  FINE(shared(
           "st.shared.u32 [%r2], %t;\nbar.sync 0;\nld.shared.u32 %r4, [%r3];\nbar.sync 0;\nst.shared.u32 [%r2], %r4;"),
       block);
  // Write after write.
  FAULT(shared("st.shared.u32 [%r2], %t;\nst.shared.u32 [%r3], %t;"), LAUNCH_FAILED, "race", block);
  // A reader that is not the last one: every warp reads, then one of the readers writes.
  FAULT(shared("setp.eq.u32 %p0, %t, 0;\n@%p0 st.shared.u32 [s], 0;\nbar.sync 0;\nand.b32 %r4, %t, 31;\nsetp.ne.u32 "
               "%p1, %r4, 0;\n"
               "@!%p1 ld.shared.u32 %r5, [s];\nsetp.eq.u32 %p2, %t, 32;\n@%p2 st.shared.u32 [s], 1;"),
        LAUNCH_FAILED, "race", block);
  // Two halves of one word by two warps are no race, one byte by both is.
  FINE(kernelText("shr.u32 %r4, %t, 5;\nshl.b32 %r4, %r4, 1;\nand.b32 %r5, %t, 31;\nsetp.ne.u32 %p0, %r5, 0;\nadd.u32 "
                  "%r4, %r4, s;\n@!%p0 st.shared.u16 [%r4], 1;",
                  S),
       {1, 64, 0});
  FAULT(kernelText("shr.u32 %r4, %t, 5;\nand.b32 %r5, %t, 31;\nsetp.ne.u32 %p0, %r5, 0;\nmov.u32 %r4, s;\n@!%p0 "
                   "st.shared.u8 [%r4+1], %t;",
                   S),
        LAUNCH_FAILED, "race", {1, 64, 0});
  // Atomics do not race with each other, but with plain reads they do.
  FINE(shared("setp.eq.u32 %p0, %t, 0;\n@%p0 st.shared.u32 [s], 0;\nbar.sync 0;\natom.shared.add.u32 %r4, [s], 1;"),
       block);
  FAULT(shared("setp.eq.u32 %p0, %t, 0;\n@%p0 st.shared.u32 [s], 0;\nbar.sync 0;\natom.shared.add.u32 %r4, [s], "
               "1;\nld.shared.u32 %r5, [s];"),
        LAUNCH_FAILED, "race", block);
}

ISA_TEST("emulator", races_within_a_warp) {
  std::string neighbour = "add.u32 %r4, %t, 1;\nand.b32 %r4, %r4, 31;\nshl.b32 %r4, %r4, 2;\nadd.u32 %r4, %r0, %r4;\n";
  FAULT(shared(neighbour + "st.shared.u32 [%r2], %t;\nld.shared.u32 %r5, [%r4];"), LAUNCH_FAILED, "race");
  FINE(shared(neighbour + "st.shared.u32 [%r2], %t;\nbar.warp.sync -1;\nld.shared.u32 %r5, [%r4];"));
  FAULT(shared(neighbour +
               "st.shared.u32 [%r2], %t;\nbar.warp.sync -1;\nld.shared.u32 %r5, [%r4];\nst.shared.u32 [%r2], %r5;"),
        LAUNCH_FAILED, "race");
  // Lanes of one store that write one word: the same value is fine, different ones are not.
  FINE(shared("st.shared.u32 [s], 7;"));
  FAULT(shared("st.shared.u32 [s], %t;"), LAUNCH_FAILED, "race");
}

ISA_TEST("emulator", races_of_asynchronous_copies) {
  std::string copy = "cp.async.ca.shared.global [%r2], [%i], 4;\ncp.async.commit_group;\n";
  Shape block = {1, 128, 0};
  FAULT(shared(copy + "ld.shared.u32 %r4, [%r2];"), LAUNCH_FAILED, "", block);
  FAULT(shared("st.shared.u32 [%r2], 0;\n" + copy + "ld.shared.u32 %r4, [%r2];"), LAUNCH_FAILED, "not waited for",
        block);
  FINE(shared(copy + "cp.async.wait_group 0;\nld.shared.u32 %r4, [%r2];"), block);
  // Waiting makes a copy visible to the own thread only; others need a barrier as well.
  FAULT(shared(copy + "cp.async.wait_group 0;\nld.shared.u32 %r4, [%r3];"), LAUNCH_FAILED, "", block);
  FINE(shared(copy + "cp.async.wait_group 0;\nbar.sync 0;\nld.shared.u32 %r4, [%r3];"), block);
  // Waiting for too few groups.
  FAULT(shared("st.shared.u32 [%r2], 0;\n" + copy + "cp.async.wait_group 1;\nld.shared.u32 %r4, [%r2];"), LAUNCH_FAILED,
        "not waited for", block);
  // A copy that overwrites what another warp still reads.
  FAULT(shared("st.shared.u32 [%r2], 0;\nbar.sync 0;\nld.shared.u32 %r4, [%r3];\n" + copy + "cp.async.wait_all;"),
        LAUNCH_FAILED, "race", block);
}

ISA_TEST("emulator", named_barriers_order_only_who_took_part) {
  // Warps 0 and 1 meet at barrier 1; warp 2 reads their words without having been there.
  std::string body =
      "st.shared.u32 [%r2], %t;\nsetp.ge.u32 %p0, %t, 64;\n@%p0 bra OTHER;\nbarrier.sync 1, 64;\nxor.b32 %r4, %r1, "
      "128;\nadd.u32 %r4, %r4, %r0;\n"
      "ld.shared.u32 %r5, [%r4];\nbra DONE;\nOTHER:\n%SPDONE:\nst.global.u32 [%o], %r5;";
  auto with = [&](const std::string &other) {
    std::string s = body;
    return shared(s.replace(s.find("%SP"), 3, other));
  };
  FINE(with("mov.u32 %r5, 0;\n"), {1, 96, 0});
  FAULT(with("ld.shared.u32 %r5, [%r0];\n"), LAUNCH_FAILED, "", {1, 96, 0});
}

ISA_TEST("emulator", divergent_barriers) {
  FAULT(kernelText("setp.lt.u32 %p0, %t, 5;\n@%p0 bar.sync 0;"), LAUNCH_FAILED, "divergent barrier");
  FAULT(kernelText("setp.lt.u32 %p0, %t, 5;\n@%p0 bra A;\nbar.sync 0;\nbra B;\nA:\nbar.sync 0;\nB:"), LAUNCH_FAILED,
        "divergent barrier");
  // Of two warps one never comes.
  FAULT(kernelText("setp.lt.u32 %p0, %t, 32;\n@%p0 bra A;\nbar.sync 1;\nA:\nbar.sync 0;"), LAUNCH_FAILED,
        "divergent barrier", {1, 64, 0});
  FAULT(kernelText("bar.sync 1, 96;"), LAUNCH_FAILED, "barrier 1", {1, 64, 0});
  // Threads that have ended are not waited for.
  FINE(kernelText("setp.lt.u32 %p0, %t, 40;\n@%p0 ret;\nbar.sync 0;"), {1, 64, 0});
}

ISA_TEST("emulator", warp_instructions_need_their_lanes) {
  FAULT(kernelText("setp.lt.u32 %p0, %t, 5;\n@%p0 shfl.sync.bfly.b32 %r0, %t, 1, 31, -1;"), LAUNCH_FAILED,
        "wait for each other");
  FAULT(kernelText("setp.lt.u32 %p0, %t, 5;\n@%p0 ret;\nshfl.sync.bfly.b32 %r0, %t, 1, 31, -1;"), LAUNCH_FAILED,
        "lanes that have ended");
  FAULT(kernelText("shfl.sync.bfly.b32 %r0, %t, 1, 31, 0xffff;"), LAUNCH_FAILED, "member mask");
  FAULT(kernelText("setp.lt.u32 %p0, %t, 5;\n@%p0 mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 "
                   "{%f0,%f1,%f2,%f3}, {%r0,%r1}, {%r2}, {%f0,%f1,%f2,%f3};"),
        LAUNCH_FAILED, "wait for each other");
  FAULT(
      kernelText(
          "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%f0,%f1,%f2,%f3}, {%r0,%r1}, {%r2}, {%f0,%f1,%f2,%f3};"),
      LAUNCH_FAILED, "warp-wide", {1, 16, 0});
}

ISA_TEST("emulator", trap_and_endless_loop) {
  FAULT(kernelText("setp.eq.u32 %p0, %t, 9;\n@%p0 trap;"), LAUNCH_FAILED, "thread (9,0,0): trap");
  driver().configure("MAX_INSTRUCTIONS", "1000000");
  FAULT(kernelText("LOOP:\nbra LOOP;"), TIMEOUT, "more than 1000000");
  driver().configure("MAX_INSTRUCTIONS", "20000000000");
}

ISA_TEST("emulator", unknown_instructions_are_named) {
  struct Row {
    const char *code, *text;
  };
  const Row rows[] = {{"tex.2d.v4.f32.f32 {%f0,%f1,%f2,%f3}, [%d0, {%f0,%f1}];", "tex"},
                      {"stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r0], {%r1};", "unknown instruction"},
                      {"wgmma.fence.sync.aligned;", "unknown instruction"},
                      {"add.s32.foo %r0, %r1, %r2;", ".foo"},
                      {"cvt.rna.bf16.f32 %h0, %f0;", "not supported"},
                      {"mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 {%f0}, {%r0}, {%r1}, {%f0};", "not supported"},
                      {"ld.global.v8.f32 {%f0,%f1}, [%in];", ".v8"},
                      {"add.s32 %r0, %r1, %d0;", "bits"},
                      {"add.s32 %r0, %r1;", "operands"},
                      {"bra NOWHERE;", "unknown label NOWHERE"},
                      {"mov.u32 %r0, nothing;", "unknown name"},
                      {"mov.u32 %r0, %foo;", "%foo"},
                      {"min.f32x2 %d0, %d1, %d2;", "has no type"},
                      {"fma.f32 %f0, %f1, %f2, %f3;", "needs a rounding"},
                      {"atom.global.add.s64 %d0, [%in], %d1;", "not supported"},
                      {"call nobody;", "nobody"},
                      {"cvt.f32.s32 %f0, %r0;", "needs .rn"},
                      {"setp.foo.s32 %p0, %r0, %r1;", "comparison"},
                      {"cp.async.cg.shared.global [%r0], [%in], 8;", "size"},
                      {"ld.global.u32 %r0, [%r1+%r2];", "number"}};
  for (const Row &r : rows) {
    driver().reset();
    Module m(kernelText(std::string("\n") + r.code));
    EXPECT(m.status == INVALID_PTX, std::string(r.code) + ": status " + std::to_string(m.status));
    EXPECT(reportText().find(r.text) != std::string::npos && reportText().find("PTX line 18") != std::string::npos,
           std::string(r.code) + ": " + reportText());
  }
}

// Registers share places: a value that a guard keeps, one that a loop carries round, and one that nobody wrote must
// live.
ISA_TEST("emulator", register_places) {
  const std::string body =
      "setp.lt.u32 %p1, %t, 16;\nmov.u32 %r1, 0;\nmov.u32 %r9, 0;\n"
      "AGAIN:\nsetp.eq.u32 %p0, %r1, 0;\n@%p0 mov.u32 %r2, 7;\n@%p0 add.u32 %r3, %t, 100;\n"
      "mov.u32 %r4, 1000;\nadd.u32 %r5, %r4, %r1;\nadd.u32 %r9, %r9, %r5;\n"
      "@%p1 bra LOW;\nadd.u32 %r6, %r5, 1;\nadd.u32 %r9, %r9, %r6;\nbra JOIN;\n"
      "LOW:\nadd.u32 %r7, %r5, 2;\nadd.u32 %r9, %r9, %r7;\n"
      "JOIN:\nadd.u32 %r1, %r1, 1;\nsetp.lt.u32 %p2, %r1, 3;\n@%p2 bra AGAIN;\n"
      "add.u32 %r9, %r9, %r2;\nadd.u32 %r9, %r9, %r3;\nadd.u32 %r9, %r9, %r8;\nst.global.u32 [%o], %r9;";
  for (const char *schedule : {"forward", "reverse"}) {
    driver().configure("SCHEDULE", schedule);
    Words want(32);
    for (uint32_t t = 0; t < 32; ++t)
      want[t] = 3003 + 3003 + (t < 16 ? 6 : 3) + 7 + t + 100 + (schedule[0] == 'f' ? 0 : 0xffffffffu);
    const std::string problem = check(kernelText(body), Words(32), want);
    EXPECT(problem.empty(), problem);
  }
  driver().configure("SCHEDULE", "forward");
}

ISA_TEST("emulator", lazy_loading) {
  driver().configure("LOADING", "lazy");
  const std::string good = ".visible .entry good()\n{\n  ret; // }\n}\n";
  Module m(ptxHeader() + ".visible .entry bad()\n{\n  .reg .b32 %r<2>;\n  { add.s32 %r0; /* { */ }\n}\n" + good);
  driver().configure("LOADING", "eager");
  EXPECT(m.status == 0, reportText());
  EXPECT(m.function("good"), reportText());
  driver().reset();
  void *bad = nullptr;
  EXPECT(m.function("bad") == bad && reportText().find("PTX line 7, add.s32: 1 operands") != std::string::npos,
         reportText());
  Module open(ptxHeader() + ".visible .entry open()\n{\n  ret;\n");
  EXPECT(open.status == INVALID_PTX && reportText().find("line 5: an entry does not end") != std::string::npos,
         reportText());
}

ISA_TEST("emulator", patch) {
  const std::string ptx = kernelText("mov.u32 %r0, 7;\nst.global.u32 [%o], %r0;");
  driver().configure("PATCH", "k:17:mov.u32 %r0, 8;");
  EXPECT(check(ptx, Words(32), Words(32, 8)).empty(), "the line was not replaced");
  driver().configure("PATCH", "other:17:mov.u32 %r0, 8;");
  EXPECT(check(ptx, Words(32), Words(32, 7)).empty(), "a line of another module was replaced");
  driver().configure("PATCH", "");
}

ISA_TEST("emulator", launch_limits) {
  std::string dynamic = ".extern .shared .align 16 .b8 dyn[];\n";
  Module m(kernelText("mov.u32 %r0, dyn;\nst.shared.u32 [%r0], 1;", dynamic));
  Module small(ptxHeader() + ".visible .entry k()\n.maxntid 64, 1, 1\n{\nret;\n}\n");
  void *k = m.function("k");
  Buffer<uint32_t> b(Words(32));
  std::vector<void *> params = {&b.address, &b.address};
  auto go = [&](void *f, unsigned gx, unsigned gy, unsigned bx, unsigned bz, unsigned bytes) {
    int e = driver().cuLaunchKernel(f, gx, gy, 1, bx, 1, bz, bytes, nullptr, params.data(), nullptr);
    return e ? e : driver().cuCtxSynchronize();
  };
  EXPECT(go(k, 1, 1, 1, 1, 48 << 10) == 0, reportText());
  EXPECT(go(k, 1, 1, 1, 1, (48 << 10) + 1) == INVALID_VALUE, "no opt-in");
  EXPECT(driver().cuFuncSetAttribute(k, 8, 163 << 10) == 0, reportText());
  EXPECT(go(k, 1, 1, 1, 1, 163 << 10) == 0, reportText());
  EXPECT(go(k, 1, 1, 1, 1, (163 << 10) + 1) == INVALID_VALUE, "more than asked for");
  EXPECT(driver().cuFuncSetAttribute(k, 8, (163 << 10) + 1) == INVALID_VALUE, "more than the device has");
  EXPECT(go(k, 1, 1, 1025, 1, 1024) == INVALID_VALUE, "threads");
  EXPECT(go(k, 1, 1, 16, 65, 1024) == INVALID_VALUE, "block z");
  EXPECT(go(k, 0, 1, 1, 1, 1024) == INVALID_VALUE, "empty grid");
  EXPECT(go(k, 1, 65536, 1, 1, 1024) == INVALID_VALUE, "grid y");
  EXPECT(go(small.function("k"), 1, 1, 65, 1, 0) == INVALID_VALUE, ".maxntid");
  EXPECT(go(small.function("k"), 1, 1, 64, 1, 0) == 0, reportText());
}

// A word of the registers that nobody wrote differs between schedules.
ISA_TEST("emulator", unwritten_registers_differ) {
  std::string ptx = kernelText("st.global.u32 [%o], %r30;");
  driver().configure("SCHEDULE", "reverse");
  Outcome a = runKernel(ptx, Words(32), 32);
  driver().configure("SCHEDULE", "forward");
  Outcome b = runKernel(ptx, Words(32), 32);
  EXPECT(!a.status && !b.status && a.out[0] != b.out[0], "the same value");
}

// Without the race check the moment of landing shows: a read before the wait sees the old word, or the new one.
ISA_TEST("emulator", copies_land_late_or_early) {
  std::string ptx = shared(
      "st.shared.u32 [%r2], 5;\ncp.async.ca.shared.global [%r2], [%i], 4;\nld.shared.u32 %r4, "
      "[%r2];\ncp.async.wait_all;\n"
      "st.global.u32 [%o], %r4;");
  driver().configure("CHECKS", "off");
  EXPECT_OUTPUT(ptx, Words(32, 9), Words(32, 5));
  driver().configure("SCHEDULE", "reverse");
  EXPECT_OUTPUT(ptx, Words(32, 9), Words(32, 9));
  driver().configure("SCHEDULE", "forward");
  driver().configure("CHECKS", "on");
}

ISA_TEST("emulator", addresses_are_new_and_aligned_to_256_bytes_only) {
  unsigned long long a = 0, b = 0;
  driver().cuMemAlloc_v2(&a, 64);
  driver().cuMemFree_v2(a);
  driver().cuMemAlloc_v2(&b, 64);
  driver().cuMemFree_v2(b);
  EXPECT(a % 512 == 256 && b % 512 == 256 && b > a, std::to_string(a) + " " + std::to_string(b));
}
