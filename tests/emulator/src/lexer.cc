#include "lexer.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "cuda_abi.h"
#include "fault.h"

namespace leetemu {
namespace {

bool wordStart(char c) { return isalpha(static_cast<u8>(c)) || c == '_' || c == '$' || c == '%'; }
bool wordPart(char c) { return isalnum(static_cast<u8>(c)) || c == '_' || c == '$'; }

class Lexer {
 public:
  Lexer(std::string_view s, u32 line, bool skipEntries) : s_(s), line_(line), skipEntries_(skipEntries) {}

  std::vector<Token> run() {
    out_.reserve(s_.size() / (skipEntries_ ? 64 : 5));
    while (skipBlank()) next();
    out_.push_back({Tok::end, "", 0, false, line_});
    return std::move(out_);
  }

 private:
  char at(size_t k) const { return k < s_.size() ? s_[k] : '\0'; }

  void skipLine() {
    while (p_ < s_.size() && s_[p_] != '\n') ++p_;
  }

  bool skipBlank() {
    for (; p_ < s_.size(); ++p_) {
      if (s_[p_] == '\n') ++line_;
      else if (isspace(static_cast<u8>(s_[p_]))) continue;
      else if (s_[p_] == '/' && at(p_ + 1) == '/') skipLine(), --p_;
      else if (s_[p_] == '/' && at(p_ + 1) == '*') skipComment();
      else return s_[p_] != '\0';
    }
    return false;
  }

  void skipComment() {
    for (p_ += 2; p_ < s_.size() && !(s_[p_] == '*' && at(p_ + 1) == '/'); ++p_)
      if (s_[p_] == '\n') ++line_;
    ++p_;
  }

  void push(Tok kind, std::string_view text, u64 value = 0, bool isUnsigned = false) {
    out_.push_back({kind, text, value, isUnsigned, line_});
  }

  template <class F>
  std::string_view takeWhile(size_t from, F ok) {
    size_t e = from;
    while (e < s_.size() && ok(s_[e])) ++e;
    p_ = e;
    return s_.substr(from, e - from);
  }

  // From behind the opening brace of an entry to behind its closing one.
  void skipBody() {
    size_t from = p_;
    u32 line = line_;
    for (int depth = 1; depth > 0; ++p_) {
      if (!skipBlank()) throw Fault(CUDA_ERROR_INVALID_PTX, format("PTX line %u: an entry does not end", line));
      depth += s_[p_] == '{' ? 1 : s_[p_] == '}' ? -1 : 0;
    }
    out_.push_back({Tok::body, s_.substr(from, p_ - 1 - from), 0, false, line});
    inEntry_ = false;
  }

  void next() {
    char c = s_[p_];
    if (wordStart(c)) {
      size_t from = p_;
      takeWhile(from + 1, wordPart);
      push(Tok::word, s_.substr(from, p_ - from));
    } else if (c == '.' && wordPart(at(p_ + 1))) {
      dotted();
    } else if (isdigit(static_cast<u8>(c))) {
      number();
    } else if (c == '"') {
      size_t e = s_.find('"', p_ + 1);
      if (e == std::string::npos)
        throw Fault(CUDA_ERROR_INVALID_PTX, format("PTX line %u: unterminated string", line_));
      push(Tok::text, s_.substr(p_ + 1, e - p_ - 1));
      p_ = e + 1;
    } else if (c == '{' && inEntry_) {
      ++p_;
      skipBody();
    } else if (std::string_view("{}()[]<>,;:@!|+-=~*").find(c) != std::string_view::npos) {
      push(Tok::punct, s_.substr(p_++, 1));
    } else {
      throw Fault(CUDA_ERROR_INVALID_PTX, format("PTX line %u: unexpected character '%c'", line_, c));
    }
  }

  // .word and .L2::128B
  void dotted() {
    size_t from = p_ + 1;
    takeWhile(from, wordPart);
    while (at(p_) == ':' && at(p_ + 1) == ':') takeWhile(p_ + 2, wordPart);
    std::string_view text = s_.substr(from, p_ - from);
    inEntry_ = inEntry_ || (skipEntries_ && text == "entry");
    if (text == "loc" || text == "file") skipLine();
    else push(Tok::dotted, text);
  }

  void number() {
    if (s_[p_] == '0' && (tolower(at(p_ + 1)) == 'f' || tolower(at(p_ + 1)) == 'd')) {
      bool isDouble = tolower(s_[p_ + 1]) == 'd';
      size_t digits = isDouble ? 16 : 8;
      std::string_view text = takeWhile(p_ + 2, [](char c) { return isxdigit(static_cast<u8>(c)) != 0; });
      if (text.size() != digits) throw Fault(CUDA_ERROR_INVALID_PTX, format("PTX line %u: bad float bits", line_));
      push(isDouble ? Tok::f64bits : Tok::f32bits, text, strtoull(std::string(text).c_str(), nullptr, 16));
      return;
    }
    size_t e = p_;
    while (isdigit(static_cast<u8>(at(e)))) ++e;
    if (at(e) == '.' || ((at(e) == 'e' || at(e) == 'E') && at(p_ + 1) != 'x')) return decimal();
    char *end = nullptr;
    bool binary = s_[p_] == '0' && tolower(at(p_ + 1)) == 'b';
    u64 value = binary ? strtoull(s_.data() + p_ + 2, &end, 2) : strtoull(s_.data() + p_, &end, 0);
    size_t after = static_cast<size_t>(end - s_.data());
    bool isUnsigned = at(after) == 'U';
    push(Tok::integer, s_.substr(p_, after - p_), value, isUnsigned);
    p_ = after + (isUnsigned ? 1 : 0);
  }

  void decimal() {
    char *end = nullptr;
    double value = strtod(s_.data() + p_, &end);
    size_t after = static_cast<size_t>(end - s_.data());
    push(Tok::f64bits, s_.substr(p_, after - p_), bitsAs<u64>(value));
    p_ = after;
  }

  std::string_view s_;  // of a NUL-terminated text
  size_t p_ = 0;
  u32 line_;
  bool skipEntries_, inEntry_ = false;
  std::vector<Token> out_;
};

}  // namespace

std::vector<Token> lex(std::string_view text, u32 line, bool skipEntries) {
  return Lexer(text, line, skipEntries).run();
}

std::string lineOf(const std::string &text, u32 n) {
  size_t from = 0;
  for (; n > 1 && from != std::string::npos; --n) {
    from = text.find('\n', from);
    if (from != std::string::npos) ++from;
  }
  if (n == 0 || from == std::string::npos) return "";
  size_t to = std::min(text.find('\n', from), text.size());
  from = std::min(text.find_first_not_of(" \t", from), to);
  return text.substr(from, to - from);
}

}  // namespace leetemu
