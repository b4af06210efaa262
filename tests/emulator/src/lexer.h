// PTX text to tokens.
#pragma once
#include <string>
#include <vector>

#include "base.h"

namespace leetemu {

enum class Tok : u8 { end, word, dotted, integer, f32bits, f64bits, text, punct };

struct Token {
  Tok kind = Tok::end;
  std::string text;  // `dotted` is without its dot
  u64 value = 0;     // integer, or the bits of a float
  bool unsignedSuffix = false;
  u32 line = 0;
};

// Debug lines (.loc, .file) are dropped. Throws Fault for a character that PTX does not have.
std::vector<Token> lex(const std::string &source);

}  // namespace leetemu
