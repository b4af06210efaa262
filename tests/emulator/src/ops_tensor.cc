// mma.sync and ldmatrix.
//
// The sum of the products of an mma and its accumulator is formed in f64 and rounded to the accumulator once. A GPU
// sums in another order and with other roundings; the difference is of the size of the rounding of the accumulator.
#include "access.h"
#include "cuda_abi.h"
#include "fault.h"
#include "half.h"
#include "ops.h"

namespace leetemu {
namespace {

void needWholeWarp(Warp &w, u32 m) {
  if (m != ALL_LANES)
    throw Fault(CUDA_ERROR_LAUNCH_FAILED, format("%s: a warp-wide instruction with lanes %08x only",
                                                 w.name(static_cast<u32>(__builtin_ctz(m))).c_str(), m));
}

struct HalfIn {
  static double of(u16 x) { return fromHalf(x); }
};
struct Bf16In {
  static double of(u16 x) { return fromBf16(x); }
};

// The elements of one register of A lie along rows: lane 4 g + t holds (row + g, column + 2 t) and the next one of the
// row.
template <class In, u32 K>
void spreadRow(const u32 *reg, double (*A)[K], u32 row, u32 column) {
  for (u32 g = 0; g < 8; ++g)
    for (u32 t = 0; t < 4; ++t) {
      u32 x = reg[g * 4 + t];
      A[row + g][column + 2 * t] = In::of(static_cast<u16>(x));
      A[row + g][column + 2 * t + 1] = In::of(static_cast<u16>(x >> 16));
    }
}

// The same for B, whose pairs lie along its columns: elements (row + 2 t, g) and (row + 2 t + 1, g).
template <class In>
void spreadColumn(const u32 *reg, double (*B)[8], u32 row) {
  for (u32 t = 0; t < 4; ++t)
    for (u32 g = 0; g < 8; ++g) {
      u32 x = reg[g * 4 + t];
      B[row + 2 * t][g] = In::of(static_cast<u16>(x));
      B[row + 2 * t + 1][g] = In::of(static_cast<u16>(x >> 16));
    }
}

// Fills the matrices A [16][K] and B [K][8] from the registers. g = lane / 4 and t = lane % 4 as in the ISA figures.
template <class In, u32 K>
void gather16(const Warp &w, const Ref *a, const Ref *b, double (*A)[K], double (*B)[8]) {
  for (u32 r = 0; r < K / 4; ++r) spreadRow<In, K>(w.src<u32>(a[r]), A, r % 2 * 8, r / 2 * 8);
  for (u32 r = 0; r < K / 8; ++r) spreadColumn<In>(w.src<u32>(b[r]), B, r * 8);
}

// tf32: the low 13 bits of an operand are not looked at. Registers 0 and 1 of A are rows 0-7 and 8-15 of columns 0-3,
// the next two of columns 4-7; register 0 of B is rows 0-3.
template <u32 K>
void gatherTf32(const Warp &w, const Ref *a, const Ref *b, double (*A)[K], double (*B)[8]) {
  auto value = [](u32 x) { return static_cast<double>(bitsAs<float>(x & 0xffffe000u)); };
  for (u32 e = 0; e < K / 2; ++e) {
    const u32 *x = w.src<u32>(a[e]);
    for (u32 g = 0; g < 8; ++g)
      for (u32 t = 0; t < 4; ++t) A[g + e % 2 * 8][e / 2 * 4 + t] = value(x[g * 4 + t]);
  }
  for (u32 e = 0; e < K / 4; ++e) {
    const u32 *x = w.src<u32>(b[e]);
    alignas(32) double v[WARP];
    for (u32 l = 0; l < WARP; ++l) v[l] = value(x[l]);
    for (u32 t = 0; t < 4; ++t)
      for (u32 g = 0; g < 8; ++g) B[e * 4 + t][g] = v[g * 4 + t];
  }
}

typedef double Vec4 __attribute__((vector_size(32)));

inline Vec4 loadVec(const double *p) {
  Vec4 v;
  memcpy(&v, p, sizeof v);
  return v;
}

template <u32 K>
void multiply(const double (*A)[K], const double (*B)[8], double (*C)[8]) {
  // Four rows by half of the columns at a time, so that the sums stay in registers and do not wait for each other.
  for (u32 row = 0; row < 16; row += 4)
    for (u32 col = 0; col < 8; col += 4) {
      Vec4 s0 = loadVec(&C[row][col]), s1 = loadVec(&C[row + 1][col]);
      Vec4 s2 = loadVec(&C[row + 2][col]), s3 = loadVec(&C[row + 3][col]);
      for (u32 k = 0; k < K; ++k) {
        Vec4 b = loadVec(&B[k][col]);
        s0 += A[row][k] * b, s1 += A[row + 1][k] * b, s2 += A[row + 2][k] * b, s3 += A[row + 3][k] * b;
      }
      memcpy(&C[row][col], &s0, sizeof s0), memcpy(&C[row + 1][col], &s1, sizeof s1);
      memcpy(&C[row + 2][col], &s2, sizeof s2), memcpy(&C[row + 3][col], &s3, sizeof s3);
    }
}

u32 floatBits(double x) { return x != x ? 0x7fffffffu : bitsAs<u32>(static_cast<float>(x)); }

// Accumulators: registers 0 and 1 of f32 hold the columns 2 t and 2 t + 1 of row g, the next two those of row g + 8;
// registers of f16 hold both columns.
template <bool F16>
void loadAccumulator(const Warp &w, const Ref *c, double (*C)[8]) {
  if constexpr (F16) {
    for (u32 half = 0; half < 2; ++half) spreadRow<HalfIn, 8>(w.src<u32>(c[half]), C, half * 8, 0);
  } else {
    for (u32 half = 0; half < 2; ++half) {
      const float *x = w.src<float>(c[2 * half]), *y = w.src<float>(c[2 * half + 1]);
      double *to = C[half * 8];
      for (u32 l = 0; l < WARP; ++l) to[2 * l] = static_cast<double>(x[l]), to[2 * l + 1] = static_cast<double>(y[l]);
    }
  }
}

template <bool F16>
void storeAccumulator(Warp &w, const Ref *d, const double (*C)[8]) {
  for (u32 half = 0; half < 2; ++half) {
    const double *c = C[half * 8];
    if constexpr (F16) {
      u32 *to = w.dst<u32>(d[half]);
      for (u32 l = 0; l < WARP; ++l)
        to[l] = toHalf(c[2 * l], Round::nearest) | static_cast<u32>(toHalf(c[2 * l + 1], Round::nearest)) << 16;
    } else {
      u32 *to[2] = {w.dst<u32>(d[2 * half]), w.dst<u32>(d[2 * half + 1])};
      u32 bits[2 * WARP];
      for (u32 k = 0; k < 2 * WARP; ++k) bits[k] = floatBits(c[k]);
      for (u32 l = 0; l < WARP; ++l) to[0][l] = bits[2 * l], to[1][l] = bits[2 * l + 1];
    }
  }
}

// list: registers of D, A, B, C. Accumulators of f32 have 4 registers, of f16 have 2.
template <u32 K, bool F16, auto GATHER>
void mma(Warp &w, const Ins &i, u32 m) {
  needWholeWarp(w, m);
  const Ref *d = w.lists + i.list, *a = d + (F16 ? 2 : 4), *b = a + i.aux, *c = b + i.size;
  double A[16][K], B[K][8], C[16][8];
  GATHER(w, a, b, A, B);
  loadAccumulator<F16>(w, c, C);
  multiply<K>(A, B, C);
  storeAccumulator<F16>(w, d, C);
}

struct Shape {
  const char *shape, *types;  // types of D, A, B, C
  Handler fn;
  u32 aRegs, bRegs;
  bool f16;
};
const Shape SHAPES[] = {
    {"m16n8k16", "f32.f16.f16.f32", mma<16, false, gather16<HalfIn, 16>>, 4, 2, false},
    {"m16n8k16", "f32.bf16.bf16.f32", mma<16, false, gather16<Bf16In, 16>>, 4, 2, false},
    {"m16n8k16", "f16.f16.f16.f16", mma<16, true, gather16<HalfIn, 16>>, 4, 2, true},
    {"m16n8k8", "f32.f16.f16.f32", mma<8, false, gather16<HalfIn, 8>>, 2, 1, false},
    {"m16n8k8", "f32.bf16.bf16.f32", mma<8, false, gather16<Bf16In, 8>>, 2, 1, false},
    {"m16n8k8", "f16.f16.f16.f16", mma<8, true, gather16<HalfIn, 8>>, 2, 1, true},
    {"m16n8k8", "f32.tf32.tf32.f32", mma<8, false, gatherTf32<8>>, 4, 2, false},
    {"m16n8k4", "f32.tf32.tf32.f32", mma<4, false, gatherTf32<4>>, 2, 1, false},
};

void addRegisters(Builder &b, size_t k, u32 count, Ty t, bool writes, std::vector<Ref> &out) {
  const Operand &o = b.operand(k);
  std::vector<Operand> parts = o.kind == Operand::vec ? o.parts : std::vector<Operand>{o};
  if (parts.size() != count) b.fail(format("operand %zu needs %u registers", k, count));
  for (const Operand &p : parts) out.push_back(writes ? b.dstOf(p, t) : b.srcOf(p, t));
}

void buildMma(Builder &b) {
  b.need("sync"), b.need("aligned");
  std::string shape = b.nextMod();
  b.need("row"), b.need("col");
  std::string types;
  for (int k = 0; k < 4; ++k) types += (k ? "." : "") + std::string(nameOf(b.type()));
  b.expectOperands(4, 4);
  for (const Shape &s : SHAPES) {
    if (shape != s.shape || types != s.types) continue;
    std::vector<Ref> list;
    Ty acc = s.f16 ? Ty::b32 : Ty::f32;
    u32 accRegs = s.f16 ? 2 : 4;
    addRegisters(b, 0, accRegs, acc, true, list);
    addRegisters(b, 1, s.aRegs, Ty::b32, false, list);
    addRegisters(b, 2, s.bRegs, Ty::b32, false, list);
    addRegisters(b, 3, accRegs, acc, false, list);
    b.setList(list);
    b.ins.aux = static_cast<u8>(s.aRegs), b.ins.size = static_cast<u8>(s.bRegs);
    b.ins.fn = s.fn;
    b.countAs("mma." + shape + "." + types);
    return b.emit(Flow::together);
  }
  b.fail("this shape with these types is not supported");
}

// Lanes 8j .. 8j+7 hold the addresses of the rows of matrix j. count matrices, aux = transposed.
void ldmatrix(Warp &w, const Ins &i, u32 m) {
  needWholeWarp(w, m);
  Addresses a;
  Places p;
  u32 rows = i.count == 4 ? ALL_LANES : (1u << (8 * i.count)) - 1;
  gather(w, i, rows, a);
  resolve(w, i, Space::shared, rows, a, 16, Use::read, p);
  for (u32 j = 0; j < i.count; ++j) {
    u32 *d = w.dst<u32>(w.lists[i.list + j]);
    if (!i.aux) { /* lane 4 r + t holds the columns 2 t and 2 t + 1 of row r */
      for (u32 row = 0; row < 8; ++row) memcpy(d + 4 * row, p.lane[8 * j + row], 16);
      continue;
    }
    u16 x[8][8];
    for (u32 row = 0; row < 8; ++row) memcpy(x[row], p.lane[8 * j + row], 16);
    for (u32 lane = 0; lane < WARP; ++lane) {
      u32 row = lane % 4 * 2, column = lane / 4;
      d[lane] = x[row][column] | static_cast<u32>(x[row + 1][column]) << 16;
    }
  }
}

void buildLdmatrix(Builder &b) {
  b.need("sync"), b.need("aligned"), b.need("m8n8");
  int n = b.oneOf({"x1", "x2", "x4"});
  bool transposed = b.mod("trans");
  if (n < 0) b.fail("needs .x1, .x2 or .x4");
  if (b.oneOf({"shared", "shared::cta"}) < 0) b.fail("needs .shared");
  b.need("b16");
  b.expectOperands(2, 2);
  std::vector<Ref> list;
  addRegisters(b, 0, 1u << n, Ty::b32, true, list);
  b.setList(list);
  b.address(1, Space::shared);
  b.ins.aux = transposed;
  b.ins.fn = ldmatrix;
  b.emit(Flow::together);
}

const Op OPS[] = {{"mma", buildMma}, {"ldmatrix", buildLdmatrix}};

}  // namespace

OpList tensorOps() { return {OPS, sizeof OPS / sizeof OPS[0]}; }

}  // namespace leetemu
