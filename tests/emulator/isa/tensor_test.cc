// mma.sync and ldmatrix against their fragment layouts.
//
// The layouts are stated here as strides, (thread, value) -> index into a column-major matrix: a second form of what
// the figures of the PTX ISA show, written without looking at how the emulator places elements.
#include <cmath>

#include "kernel.h"

using namespace isa;

namespace {

// index = (lane % 4) * quad + (lane / 4) * group + sum of value bits times their strides.
struct Layout {
  int quad, group;
  int bits;        // log2 of the values per lane
  int strides[3];  // of the bits of the value number, lowest first
  int at(int lane, int value) const {
    int index = lane % 4 * quad + lane / 4 * group;
    for (int b = 0; b < bits; ++b) index += (value >> b & 1) * strides[b];
    return index;
  }
};

struct Form {
  const char *name;
  int k;
  const char *type;  // of A and B
  Layout a, b;       // A: row + 16 * k. B: column + 8 * k.
  int aRegs, bRegs;
  bool f16Accumulator;
};

constexpr Layout C_LAYOUT = {32, 1, 2, {16, 8}};  // row + 16 * column

const Form FORMS[] = {
    {"m16n8k16.row.col.f32.bf16.bf16.f32", 16, "bf16", {32, 1, 3, {16, 8, 128}}, {16, 1, 2, {8, 64}}, 4, 2, false},
    {"m16n8k16.row.col.f32.f16.f16.f32", 16, "f16", {32, 1, 3, {16, 8, 128}}, {16, 1, 2, {8, 64}}, 4, 2, false},
    {"m16n8k16.row.col.f16.f16.f16.f16", 16, "f16", {32, 1, 3, {16, 8, 128}}, {16, 1, 2, {8, 64}}, 4, 2, true},
    {"m16n8k8.row.col.f32.bf16.bf16.f32", 8, "bf16", {32, 1, 2, {16, 8}}, {16, 1, 1, {8}}, 2, 1, false},
    {"m16n8k8.row.col.f32.f16.f16.f32", 8, "f16", {32, 1, 2, {16, 8}}, {16, 1, 1, {8}}, 2, 1, false},
    {"m16n8k8.row.col.f16.f16.f16.f16", 8, "f16", {32, 1, 2, {16, 8}}, {16, 1, 1, {8}}, 2, 1, true},
    {"m16n8k8.row.col.f32.tf32.tf32.f32", 8, "tf32", {16, 1, 2, {8, 64}}, {8, 1, 1, {32}}, 4, 2, false},
    {"m16n8k4.row.col.f32.tf32.tf32.f32", 4, "tf32", {16, 1, 1, {8}}, {8, 1, 0, {}}, 2, 1, false},
};

// Small integers are exact in every type.
uint32_t encode(int x, const std::string &type) {
  uint32_t f = floatWord(static_cast<float>(x));
  if (type == "tf32") return f | 0x1fff;  // the low bits must not matter
  if (type == "bf16") return f >> 16;
  if (x == 0) return 0;
  int m = std::abs(x), e = 0;
  while (m >> (e + 1)) ++e;
  return (x < 0 ? 0x8000u : 0u) | static_cast<uint32_t>(e + 15) << 10 | ((static_cast<uint32_t>(m) << (10 - e)) & 1023);
}

// Registers of one operand, [register][lane].
Words fragment(const std::vector<int> &matrix, const Layout &l, const std::string &type) {
  int values = 1 << l.bits, perRegister = type == "tf32" ? 1 : 2;
  Words r(static_cast<size_t>(values / perRegister * 32), 0);
  for (int lane = 0; lane < 32; ++lane)
    for (int v = 0; v < values; ++v)
      r[static_cast<size_t>(v / perRegister * 32 + lane)] |= encode(matrix[static_cast<size_t>(l.at(lane, v))], type)
                                                             << (16 * (v % perRegister));
  return r;
}

std::string registers(const char *prefix, int count) {
  std::string s = "{";
  for (int k = 0; k < count; ++k) s += (k ? ", %" : "%") + std::string(prefix) + std::to_string(k);
  return s + "}";
}

std::string mmaKernel(const Form &f) {
  int acc = f.f16Accumulator ? 2 : 4, word = 0;
  std::string body, variables = "  .reg .b32 %a<4>, %b<2>, %x<4>;\n  .reg .f32 %y<4>;\n";
  auto load = [&](const char *prefix, int count) {
    for (int k = 0; k < count; ++k, ++word)
      body +=
          "ld.global.b32 %" + std::string(prefix) + std::to_string(k) + ", [%i+" + std::to_string(128 * word) + "];\n";
  };
  const char *c = f.f16Accumulator ? "x" : "y";
  load("a", f.aRegs), load("b", f.bRegs), load(c, acc);
  body += "mma.sync.aligned." + std::string(f.name) + " " + registers(c, acc) + ", " + registers("a", f.aRegs) + ", " +
          registers("b", f.bRegs) + ", " + registers(c, acc) + ";\n";
  for (int k = 0; k < acc; ++k)
    body += "st.global.b32 [%o+" + std::to_string(128 * k) + "], %" + std::string(c) + std::to_string(k) + ";\n";
  return kernelText(body, "", variables);
}

void runForm(const Form &f) {
  std::vector<int> A(static_cast<size_t>(16 * f.k)), B(static_cast<size_t>(8 * f.k)), C(128), D(128);
  for (size_t i = 0; i < A.size(); ++i) A[i] = static_cast<int>(i * 7 % 11) - 5;
  for (size_t i = 0; i < B.size(); ++i) B[i] = static_cast<int>(i * 5 % 13) - 6;
  for (size_t i = 0; i < C.size(); ++i) C[i] = static_cast<int>(i * 3 % 17) - 8;
  for (int row = 0; row < 16; ++row)
    for (int col = 0; col < 8; ++col) {
      int sum = C[static_cast<size_t>(row + 16 * col)];
      for (int k = 0; k < f.k; ++k) sum += A[static_cast<size_t>(row + 16 * k)] * B[static_cast<size_t>(col + 8 * k)];
      D[static_cast<size_t>(row + 16 * col)] = sum;
    }
  std::string accType = f.f16Accumulator ? "f16" : "f32";
  auto accumulator = [&](const std::vector<int> &m) {
    if (f.f16Accumulator) return fragment(m, C_LAYOUT, "f16");
    Words r(128);
    for (int lane = 0; lane < 32; ++lane)
      for (int v = 0; v < 4; ++v)
        r[static_cast<size_t>(v * 32 + lane)] =
            floatWord(static_cast<float>(m[static_cast<size_t>(C_LAYOUT.at(lane, v))]));
    return r;
  };
  Words in = fragment(A, f.a, f.type);
  for (const Words &part : {fragment(B, f.b, f.type), accumulator(C)}) in.insert(in.end(), part.begin(), part.end());
  std::string difference = check(mmaKernel(f), in, accumulator(D));
  EXPECT(difference.empty(), std::string(f.name) + ": " + difference);
}

}  // namespace

ISA_TEST("tensor", mma_layouts) {
  for (const Form &f : FORMS) runForm(f);
}

ISA_TEST("tensor", mma_special_values) {
  // NaN in one row of A makes that row NaN and no other; an infinity stays one.
  const Form &f = FORMS[0];
  Words in(32 * 10, 0);
  for (int lane = 0; lane < 32; ++lane)
    in[static_cast<size_t>(4 * 32 + lane)] = in[static_cast<size_t>(5 * 32 + lane)] = 0x3f803f80;
  in[0] = 0x7fc0;  // lane 0, value 0: row 0
  in[4] = 0x7f80;  // lane 4: row 1
  Outcome r = runKernel(mmaKernel(f), in, 128);
  EXPECT(r.status == 0, reportText());
  for (size_t lane = 0; lane < 32 && !r.status; ++lane) {
    float c0 = wordFloat(r.out[lane]), c2 = wordFloat(r.out[64 + lane]);
    EXPECT(lane / 4 == 0 ? std::isnan(c0) : lane / 4 == 1 ? std::isinf(c0) : c0 == 0, "lane " + std::to_string(lane));
    EXPECT(c2 == 0, "lane " + std::to_string(lane));
  }
}

// Element (row, column) of matrix j has the value 64 j + 8 row + column. Lane l gets from matrix j the elements
// (l / 4, 2 (l % 4)) and the next one of the row, or of the column when transposed.
static std::string loadMatrix(int n, bool transposed) {
  std::string count = std::to_string(n), body =
                                             "shl.b32 %r0, %t, 4;\nmov.u32 %r1, s;\nadd.u32 %r1, %r1, "
                                             "%r0;\nmul.wide.u32 %d0, %t, 16;\nadd.u64 %d0, %in, %d0;\n"
                                             "ld.global.v4.u32 {%r2, %r3, %r4, %r5}, [%d0];\nst.shared.v4.u32 [%r1], "
                                             "{%r2, %r3, %r4, %r5};\nbar.sync 0;\nldmatrix.sync.aligned.m8n8.x" +
                                             count + (transposed ? ".trans" : "") + ".shared.b16 {%r10" +
                                             (n > 1 ? ", %r11" : "") + (n > 2 ? ", %r12, %r13" : "") + "}, [%r1];\n";
  for (int j = 0; j < n; ++j)
    body += "st.global.u32 [%o+" + std::to_string(128 * j) + "], %r1" + std::to_string(j) + ";\n";
  return kernelText(body, ".shared .align 16 .b8 s[512];\n");
}

ISA_TEST("tensor", ldmatrix_layouts) {
  Words in = fill(128, [](uint32_t k) { return 2 * k | (2 * k + 1) << 16; });
  for (int n : {1, 2, 4})
    for (bool transposed : {false, true}) {
      Words want(static_cast<size_t>(32 * n));
      for (uint32_t j = 0; j < static_cast<uint32_t>(n); ++j)
        for (uint32_t l = 0; l < 32; ++l) {
          uint32_t major = l / 4, minor = l % 4 * 2, base = 64 * j;
          want[32 * j + l] = transposed ? (base + 8 * minor + major) | (base + 8 * (minor + 1) + major) << 16
                                        : (base + 8 * major + minor) | (base + 8 * major + minor + 1) << 16;
        }
      EXPECT_OUTPUT(loadMatrix(n, transposed), in, want);
    }
}
