// The token cursor of the parser, and the declarations of variables: .global .const .shared .local .param.
#pragma once
#include <algorithm>
#include <memory>

#include "ast.h"
#include "cuda_abi.h"
#include "fault.h"
#include "lexer.h"

namespace leetemu {

class TokenCursor {
 protected:
  TokenCursor(std::shared_ptr<const std::string> source, std::string_view part, u32 line, bool skipEntries)
      : source_(std::move(source)), t_(lex(part, line, skipEntries)) {}

  const Token &cur() const { return t_[p_]; }
  std::string text() const { return std::string(cur().text); }
  const Token &ahead(size_t k) const { return t_[std::min(p_ + k, t_.size() - 1)]; }
  bool isPunct(char c) const { return cur().kind == Tok::punct && cur().text[0] == c; }
  bool isDotted(const char *s) const { return cur().kind == Tok::dotted && cur().text == s; }

  [[noreturn]] void fail(const std::string &what) const {
    throw Fault(CUDA_ERROR_INVALID_PTX,
                format("PTX line %u: %s: %s", cur().line, what.c_str(), lineOf(*source_, cur().line).c_str()));
  }

  bool accept(char c) {
    if (!isPunct(c)) return false;
    ++p_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(format("expected '%c' before '%s'", c, text().c_str()));
  }
  bool acceptDotted(const char *s) {
    if (!isDotted(s)) return false;
    ++p_;
    return true;
  }
  std::string word() {
    if (cur().kind != Tok::word) fail("expected a name before '" + text() + "'");
    return std::string(t_[p_++].text);
  }
  u64 integer() {
    bool negative = accept('-');
    if (cur().kind != Tok::integer) fail("expected a number before '" + text() + "'");
    u64 v = t_[p_++].value;
    return negative ? 0 - v : v;
  }

  std::shared_ptr<const std::string> source_;
  std::vector<Token> t_;
  size_t p_ = 0;
};

class VariableParser : protected TokenCursor {
 protected:
  using TokenCursor::TokenCursor;

  // .space [.align n] [.vN] .type name[dims] [= init]
  Variable variable(bool isExtern);
  // What follows a comma in a list of variables.
  Variable nextOfSameKind(const Variable &first);

 private:
  void finishVariable(Variable &v, u32 lanes);
  void initialiser(Variable &v);
  void initialiserList(Variable &v);
  void initialiserValue(Variable &v);
};

}  // namespace leetemu
