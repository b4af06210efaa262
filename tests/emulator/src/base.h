// Integer names, PTX scalar types and state spaces, used by every part of the emulator.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace leetemu {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using i8 = int8_t;
using i16 = int16_t;
using i32 = int32_t;
using i64 = int64_t;

constexpr u32 WARP = 32;
constexpr u32 ALL_LANES = 0xffffffffu;

enum class Ty : u8 {
  none,
  pred,
  b8,
  u8,
  s8,
  b16,
  u16,
  s16,
  f16,
  bf16,
  b32,
  u32,
  s32,
  f32,
  f16x2,
  bf16x2,
  tf32,
  b64,
  u64,
  s64,
  f64,
  b128
};

// Bytes of one element; a predicate counts as 0 because it has no memory form.
u32 sizeOf(Ty t);
const char *nameOf(Ty t);
// Ty::none when the word is no type.
Ty typeNamed(std::string_view word);
bool isSigned(Ty t);
bool isFloat(Ty t);

enum class Space : u8 { generic, global, shared, local, param, constant };
const char *nameOf(Space s);

// Generic addresses of shared and local memory. Both windows are far from every device allocation.
constexpr u64 SHARED_WINDOW = 0x7e0000000000ull;
constexpr u64 LOCAL_WINDOW = 0x7d0000000000ull;
constexpr u64 WINDOW_BYTES = 1ull << 24;
// Offset of the first shared variable. Not 0, so that a null shared address is caught.
constexpr u32 SHARED_BASE = 1024;
constexpr u32 LOCAL_BASE = 256;

inline u64 roundUp(u64 x, u64 to) { return (x + to - 1) / to * to; }

template <class To, class From>
To bitsAs(From x) {
  static_assert(sizeof(To) == sizeof(From));
  To y;
  memcpy(&y, &x, sizeof y);
  return y;
}

}  // namespace leetemu
