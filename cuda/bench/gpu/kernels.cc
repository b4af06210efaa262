#include "kernels.h"

namespace gpu_check {

const MmaForm kMmaForms[3] = {{"bf16", "m16n8k16.row.col.f32.bf16.bf16.f32", 16, 0x807f807f, 0x3f003f00},
                              {"f16", "m16n8k16.row.col.f32.f16.f16.f32", 16, 0x83ff83ff, 0x38003800},
                              {"tf32", "m16n8k8.row.col.f32.tf32.tf32.f32", 8, 0x807fe000, 0x3f000000}};

namespace {

const char *const kHeader = ".version 7.0\n.target sm_80\n.address_size 64\n";

/* %id = this thread of all, %threads = all of them. */
const char *const kThread =
    "  .reg .b32 %id, %threads, %block, %size, %thread;\n"
    "  mov.u32 %block, %ctaid.x;\n  mov.u32 %size, %ntid.x;\n  mov.u32 %thread, %tid.x;\n"
    "  mad.lo.u32 %id, %block, %size, %thread;\n  mov.u32 %threads, %nctaid.x;\n"
    "  mul.lo.u32 %threads, %threads, %size;\n";

std::string entry(const char *name, const char *parameters, const std::string &body) {
  return std::string(".visible .entry ") + name + "(" + parameters + ")\n{\n" + body + "  ret;\n}\n";
}

/* `text` count times with '#' replaced by 0, 1, ... */
std::string repeat(int count, const std::string &text) {
  std::string all;
  for (int i = 0; i < count; i++) {
    for (const char c : text) all += c == '#' ? std::to_string(i) : std::string(1, c);
  }
  return all;
}

/* x = a well mixed function of x; uses %y. */
std::string mix(const char *x) {
  std::string s;
  const struct {
    int shift;
    const char *factor;
  } steps[] = {{16, "0x85ebca6b"}, {13, "0xc2b2ae35"}, {16, nullptr}};
  for (const auto &step : steps) {
    s += std::string("  shr.u32 %y, ") + x + ", " + std::to_string(step.shift) + ";\n  xor.b32 " + x + ", " + x +
         ", %y;\n";
    if (step.factor) s += std::string("  mul.lo.u32 ") + x + ", " + x + ", " + step.factor + ";\n";
  }
  return s;
}

std::string move_kernel(bool copy) {
  const std::string loads =
      repeat(4, "  ld.global.v4.u32 {%a#, %b#, %c#, %d#}, [%from];\n  add.u64 %from, %from, %step;\n");
  const std::string stores = repeat(4, "  st.global.v4.u32 [%to], {%a#, %b#, %c#, %d#};\n  add.u64 %to, %to, %step;\n");
  const std::string sums = repeat(
      4,
      "  xor.b32 %sum, %sum, %a#;\n  xor.b32 %sum, %sum, %b#;\n  xor.b32 %sum, %sum, %c#;\n  xor.b32 %sum, %sum, "
      "%d#;\n");
  return entry(copy ? "copy" : "read", ".param .u64 from, .param .u64 to, .param .u32 rounds",
               std::string(kThread) +
                   "  .reg .b64 %from, %to, %step;\n  .reg .b32 %rounds, %sum, %a<4>, %b<4>, %c<4>, %d<4>;\n"
                   "  .reg .pred %more, %never;\n"
                   "  ld.param.u64 %from, [from];\n  ld.param.u64 %to, [to];\n  ld.param.u32 %rounds, [rounds];\n"
                   "  mad.wide.u32 %from, %id, 16, %from;\n" +
                   (copy ? "  mad.wide.u32 %to, %id, 16, %to;\n" : "") +
                   "  mul.wide.u32 %step, %threads, 16;\n  mov.u32 %sum, 0;\nNEXT:\n" + loads + (copy ? stores : sums) +
                   "  sub.u32 %rounds, %rounds, 1;\n  setp.ne.u32 %more, %rounds, 0;\n  @%more bra NEXT;\n" +
                   (copy ? "" : "  setp.eq.u32 %never, %sum, 0x9e3779b9;\n  @%never st.global.u32 [%to], %sum;\n"));
}

std::string fill_kernel() {
  return entry(
      "fill",
      ".param .u64 to, .param .u64 count, .param .u32 type, .param .u32 seed, .param .f32 low, .param .f32 range",
      std::string(kThread) +
          "  .reg .b64 %to, %count, %at, %step, %place;\n  .reg .b32 %type, %seed, %x, %y, %low32, %high32;\n"
          "  .reg .b16 %half;\n  .reg .f32 %low, %range, %value;\n  .reg .pred %done, %is32, %is16;\n"
          "  ld.param.u64 %to, [to];\n  ld.param.u64 %count, [count];\n  ld.param.u32 %type, [type];\n"
          "  ld.param.u32 %seed, [seed];\n  ld.param.f32 %low, [low];\n  ld.param.f32 %range, [range];\n"
          "  setp.eq.u32 %is32, %type, 0;\n  setp.eq.u32 %is16, %type, 1;\n"
          "  cvt.u64.u32 %at, %id;\n  cvt.u64.u32 %step, %threads;\nNEXT:\n"
          "  setp.ge.u64 %done, %at, %count;\n  @%done bra END;\n"
          "  mov.b64 {%low32, %high32}, %at;\n  mul.lo.u32 %high32, %high32, 0x9e3779b1;\n"
          "  xor.b32 %x, %low32, %high32;\n  add.u32 %x, %x, %seed;\n" +
          mix("%x") +
          "  shr.u32 %x, %x, 8;\n  cvt.rn.f32.u32 %value, %x;\n  mul.f32 %value, %value, 0f33800000;\n" /* 2^-24 */
          "  fma.rn.f32 %value, %value, %range, %low;\n  @%is32 bra WIDE;\n  @%is16 bra FLOAT16;\n"
          "  cvt.rn.bf16.f32 %half, %value;\n  bra NARROW;\nFLOAT16:\n  cvt.rn.f16.f32 %half, %value;\nNARROW:\n"
          "  shl.b64 %place, %at, 1;\n  add.u64 %place, %place, %to;\n  st.global.b16 [%place], %half;\n  bra STEP;\n"
          "WIDE:\n  shl.b64 %place, %at, 2;\n  add.u64 %place, %place, %to;\n  st.global.f32 [%place], %value;\n"
          "STEP:\n  add.u64 %at, %at, %step;\n  bra NEXT;\nEND:\n");
}

std::string digest_kernel() {
  return entry(
      "digest", ".param .u64 words, .param .u64 count, .param .u64 to, .param .u32 narrow",
      std::string(kThread) +
          "  .reg .b64 %words, %count, %to, %at, %step, %place, %sum, %untouched, %wide, %old;\n"
          "  .reg .b32 %x, %y, %low32, %high32, %word, %narrow;\n  .reg .pred %done, %poison, %halves, %half;\n"
          "  ld.param.u64 %words, [words];\n  ld.param.u64 %count, [count];\n  ld.param.u64 %to, [to];\n"
          "  ld.param.u32 %narrow, [narrow];\n  setp.ne.u32 %halves, %narrow, 0;\n"
          "  mov.u64 %sum, 0;\n  mov.u64 %untouched, 0;\n"
          "  cvt.u64.u32 %at, %id;\n  cvt.u64.u32 %step, %threads;\nNEXT:\n"
          "  setp.ge.u64 %done, %at, %count;\n  @%done bra END;\n"
          "  shl.b64 %place, %at, 2;\n  add.u64 %place, %place, %words;\n  ld.global.u32 %word, [%place];\n"
          "  setp.eq.u32 %poison, %word, 0xffffffff;\n"
          "  and.b32 %y, %word, 0xffff;\n  setp.eq.and.u32 %half, %y, 0xffff, %halves;\n  or.pred %poison, %poison, "
          "%half;\n"
          "  shr.u32 %y, %word, 16;\n  setp.eq.and.u32 %half, %y, 0xffff, %halves;\n  or.pred %poison, %poison, "
          "%half;\n"
          "  @%poison add.u64 %untouched, %untouched, 1;\n"
          "  mov.b64 {%low32, %high32}, %at;\n  mul.lo.u32 %low32, %low32, 0x9e3779b1;\n"
          "  add.u32 %low32, %low32, %high32;\n  xor.b32 %x, %word, %low32;\n" +
          mix("%x") +
          "  mul.wide.u32 %wide, %x, 0xc2b2ae3d;\n  add.u64 %sum, %sum, %wide;\n"
          "  add.u64 %at, %at, %step;\n  bra NEXT;\nEND:\n"
          "  atom.global.add.u64 %old, [%to], %sum;\n  atom.global.add.u64 %old, [%to+8], %untouched;\n");
}

/* A loop of `body` that ends by storing %result to to[this thread]. */
std::string loop_kernel(const char *name, const std::string &variables, const std::string &before,
                        const std::string &body, const std::string &result) {
  return std::string(kHeader) +
         entry(name, ".param .u64 to, .param .u32 rounds",
               std::string(kThread) + variables +
                   "  .reg .b64 %to;\n  .reg .b32 %rounds;\n  .reg .f32 %result;\n  .reg .pred %more;\n"
                   "  ld.param.u64 %to, [to];\n  ld.param.u32 %rounds, [rounds];\n"
                   "  mad.wide.u32 %to, %id, 4, %to;\n" +
                   before + "NEXT:\n" + repeat(kUnroll, body) +
                   "  sub.u32 %rounds, %rounds, 1;\n  setp.ne.u32 %more, %rounds, 0;\n  @%more bra NEXT;\n"
                   "  mov.f32 %result, 0f00000000;\n" +
                   result + "  st.global.f32 [%to], %result;\n");
}

}  // namespace

std::string memory_ptx() {
  return kHeader + entry("empty", "", "") + move_kernel(false) + move_kernel(true) + fill_kernel() + digest_kernel();
}

std::string mma_ptx(const MmaForm &form) {
  std::string before, body, result;
  const std::string keep = std::to_string(form.keep), set = std::to_string(form.set);
  for (int i = 0; i < 6; i++) {
    const std::string r = (i < 4 ? "%a" : "%b") + std::to_string(i % 4);
    before += "  mad.lo.u32 " + r + ", %id, 6, " + std::to_string(i) + ";\n" + mix(r.c_str()) + "  and.b32 " + r +
              ", " + r + ", " + keep + ";\n  or.b32 " + r + ", " + r + ", " + set + ";\n";
  }
  for (int chain = 0; chain < kMmaChains; chain++) {
    std::string d = "{";
    for (int i = 0; i < 4; i++) {
      const std::string r = "%d" + std::to_string(4 * chain + i);
      before += "  cvt.rn.f32.u32 " + r + ", " + std::to_string(4 * chain + i) + ";\n"; /* equal chains would be one */
      result += "  add.f32 %result, %result, " + r + ";\n";
      d += (i ? ", " : "") + r;
    }
    d += "}";
    body +=
        std::string("  mma.sync.aligned.") + form.shape + " " + d + ", {%a0, %a1, %a2, %a3}, {%b0, %b1}, " + d + ";\n";
  }
  return loop_kernel("mma", "  .reg .b32 %a<4>, %b<2>, %y;\n  .reg .f32 %d<32>;\n", before, body, result);
}

std::string fma_ptx() {
  std::string before = "  cvt.rn.f32.u32 %a, %id;\n  mov.f32 %b, 0f3f7fff00;\n", body, result;
  for (int chain = 0; chain < kFmaChains; chain++) {
    const std::string r = "%d" + std::to_string(chain);
    before += "  cvt.rn.f32.u32 " + r + ", " + std::to_string(chain) + ";\n"; /* equal chains would be one */
    body += "  fma.rn.f32 " + r + ", " + r + ", %b, %a;\n";
    result += "  add.f32 %result, %result, " + r + ";\n";
  }
  return loop_kernel("fma", "  .reg .f32 %a, %b, %d<16>;\n", before, body, result);
}

}  // namespace gpu_check
