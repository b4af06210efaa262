// PTX text to tokens.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base.h"

namespace leetemu {

enum class Tok : u8 { end, word, dotted, integer, f32bits, f64bits, text, punct, body };

struct Token {
  Tok kind = Tok::end;
  std::string_view text;  // a part of the source; `dotted` is without its dot, `body` without its braces
  u64 value = 0;          // integer, or the bits of a float
  bool unsignedSuffix = false;
  u32 line = 0;
};

// Debug lines (.loc, .file) are dropped. Throws Fault for a character that PTX does not have. The tokens refer to
// `text`, which starts at line `line`. With `skipEntries` what stands between the braces of an .entry is one token, not
// looked at.
std::vector<Token> lex(std::string_view text, u32 line, bool skipEntries);

// Line n of a text, from 1, without the blanks before it; empty when there is none.
std::string lineOf(const std::string &text, u32 n);

}  // namespace leetemu
