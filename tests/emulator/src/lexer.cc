#include "lexer.h"

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
  explicit Lexer(const std::string &s) : s_(s) {}

  std::vector<Token> run() {
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

  void push(Tok kind, std::string text, u64 value = 0, bool isUnsigned = false) {
    out_.push_back({kind, std::move(text), value, isUnsigned, line_});
  }

  std::string takeWhile(size_t from, bool (*ok)(char)) {
    size_t e = from;
    while (e < s_.size() && ok(s_[e])) ++e;
    p_ = e;
    return s_.substr(from, e - from);
  }

  void next() {
    char c = s_[p_];
    if (wordStart(c)) {
      size_t from = p_++;
      std::string tail = takeWhile(p_, wordPart);
      push(Tok::word, s_.substr(from, 1) + tail);
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
    } else if (std::string("{}()[]<>,;:@!|+-=~*").find(c) != std::string::npos) {
      push(Tok::punct, std::string(1, c));
      ++p_;
    } else {
      throw Fault(CUDA_ERROR_INVALID_PTX, format("PTX line %u: unexpected character '%c'", line_, c));
    }
  }

  // .word and .L2::128B
  void dotted() {
    std::string text = takeWhile(p_ + 1, wordPart);
    while (at(p_) == ':' && at(p_ + 1) == ':') text += "::" + takeWhile(p_ + 2, wordPart);
    if (text == "loc" || text == "file") skipLine();
    else push(Tok::dotted, text);
  }

  void number() {
    if (s_[p_] == '0' && (tolower(at(p_ + 1)) == 'f' || tolower(at(p_ + 1)) == 'd')) {
      bool isDouble = tolower(s_[p_ + 1]) == 'd';
      size_t digits = isDouble ? 16 : 8;
      std::string text = takeWhile(p_ + 2, [](char c) { return isxdigit(static_cast<u8>(c)) != 0; });
      if (text.size() != digits) throw Fault(CUDA_ERROR_INVALID_PTX, format("PTX line %u: bad float bits", line_));
      push(isDouble ? Tok::f64bits : Tok::f32bits, text, strtoull(text.c_str(), nullptr, 16));
      return;
    }
    size_t e = p_;
    while (isdigit(static_cast<u8>(at(e)))) ++e;
    if (at(e) == '.' || ((at(e) == 'e' || at(e) == 'E') && at(p_ + 1) != 'x')) return decimal();
    char *end = nullptr;
    bool binary = s_[p_] == '0' && tolower(at(p_ + 1)) == 'b';
    u64 value = binary ? strtoull(s_.c_str() + p_ + 2, &end, 2) : strtoull(s_.c_str() + p_, &end, 0);
    size_t after = static_cast<size_t>(end - s_.c_str());
    bool isUnsigned = at(after) == 'U';
    push(Tok::integer, s_.substr(p_, after - p_), value, isUnsigned);
    p_ = after + (isUnsigned ? 1 : 0);
  }

  void decimal() {
    char *end = nullptr;
    double value = strtod(s_.c_str() + p_, &end);
    size_t after = static_cast<size_t>(end - s_.c_str());
    push(Tok::f64bits, s_.substr(p_, after - p_), bitsAs<u64>(value));
    p_ = after;
  }

  const std::string &s_;
  size_t p_ = 0;
  u32 line_ = 1;
  std::vector<Token> out_;
};

}  // namespace

std::vector<Token> lex(const std::string &source) { return Lexer(source).run(); }

}  // namespace leetemu
