#include "base.h"

namespace leetemu {
namespace {

struct TypeRow {
  const char *name;
  u32 bytes;
  bool isSigned, isFloat;
};

// In the order of enum Ty.
constexpr TypeRow TYPES[] = {
    {"", 0, false, false},   {"pred", 0, false, false},  {"b8", 1, false, false},  {"u8", 1, false, false},
    {"s8", 1, true, false},  {"b16", 2, false, false},   {"u16", 2, false, false}, {"s16", 2, true, false},
    {"f16", 2, true, true},  {"bf16", 2, true, true},    {"b32", 4, false, false}, {"u32", 4, false, false},
    {"s32", 4, true, false}, {"f32", 4, true, true},     {"f16x2", 4, true, true}, {"bf16x2", 4, true, true},
    {"tf32", 4, true, true}, {"b64", 8, false, false},   {"u64", 8, false, false}, {"s64", 8, true, false},
    {"f64", 8, true, true},  {"b128", 16, false, false},
};
constexpr u32 TYPE_COUNT = sizeof TYPES / sizeof TYPES[0];
static_assert(TYPE_COUNT == static_cast<u32>(Ty::b128) + 1);

}  // namespace

u32 sizeOf(Ty t) { return TYPES[static_cast<u32>(t)].bytes; }
const char *nameOf(Ty t) { return TYPES[static_cast<u32>(t)].name; }
bool isSigned(Ty t) { return TYPES[static_cast<u32>(t)].isSigned; }
bool isFloat(Ty t) { return TYPES[static_cast<u32>(t)].isFloat; }

Ty typeNamed(std::string_view word) {
  for (u32 i = 1; i < TYPE_COUNT; ++i)
    if (word == TYPES[i].name) return static_cast<Ty>(i);
  return Ty::none;
}

const char *nameOf(Space s) {
  constexpr const char *NAMES[] = {"generic", "global", "shared", "local", "param", "const"};
  return NAMES[static_cast<u32>(s)];
}

}  // namespace leetemu
