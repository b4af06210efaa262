#include "parse_variable.h"

namespace leetemu {
namespace {

bool spaceNamed(std::string_view s, Space &out) {
  if (s == "global") out = Space::global;
  else if (s == "shared") out = Space::shared;
  else if (s == "local") out = Space::local;
  else if (s == "const") out = Space::constant;
  else if (s == "param") out = Space::param;
  else return false;
  return true;
}

}  // namespace

Variable VariableParser::variable(bool isExtern) {
  Variable v;
  v.isExtern = isExtern;
  v.line = cur().line;
  if (cur().kind != Tok::dotted || !spaceNamed(cur().text, v.space)) fail("unknown directive ." + text());
  ++p_;
  u32 lanes = 1;
  for (; cur().kind == Tok::dotted; ++p_) {
    if (isDotted("align")) v.align = static_cast<u32>((++p_, cur().value));
    else if (isDotted("v2")) lanes = 2;
    else if (isDotted("v4")) lanes = 4;
    else if (isDotted("ptr") || isDotted("global") || isDotted("shared") || isDotted("const") || isDotted("local")) {
      continue;  // facts about what a pointer parameter points to
    } else if (Ty t = typeNamed(cur().text); t != Ty::none && t != Ty::pred) {
      v.type = t;
      v.align = std::max(v.align, sizeOf(t) * lanes);
    } else fail("unknown modifier ." + text());
  }
  finishVariable(v, lanes);
  return v;
}

Variable VariableParser::nextOfSameKind(const Variable &first) {
  Variable v;
  v.space = first.space, v.type = first.type, v.align = first.align, v.line = cur().line;
  finishVariable(v, 1);
  return v;
}

void VariableParser::finishVariable(Variable &v, u32 lanes) {
  v.name = word();
  u64 count = lanes;
  while (accept('[')) {
    if (isPunct(']')) count = 0;
    else count *= integer();
    expect(']');
  }
  v.bytes = count * sizeOf(v.type);
  if (accept('=')) initialiser(v);
}

void VariableParser::initialiser(Variable &v) {
  v.init.clear();
  if (isPunct('{')) initialiserList(v);
  else initialiserValue(v);
  if (v.bytes == 0) v.bytes = v.init.size();
  if (v.init.size() > v.bytes) fail("initialiser is longer than the variable");
  v.init.resize(v.bytes);
}

void VariableParser::initialiserList(Variable &v) {
  expect('{');
  do {
    if (isPunct('{')) initialiserList(v);
    else initialiserValue(v);
  } while (accept(','));
  expect('}');
}

void VariableParser::initialiserValue(Variable &v) {
  u64 bits = 0;
  if (cur().kind == Tok::word) {
    bool isGeneric = cur().text == "generic";
    if (isGeneric) ++p_, expect('(');
    Variable::Address a{v.init.size(), word(), 0};
    if (accept('+')) a.offset = static_cast<i64>(integer());
    if (isGeneric) expect(')');
    if (sizeOf(v.type) != 8) fail("an address needs a 64-bit variable");
    v.addresses.push_back(a);
  } else if (cur().kind == Tok::f32bits || cur().kind == Tok::f64bits) {
    bits = t_[p_++].value;
  } else {
    bits = integer();
  }
  for (u32 k = 0; k < sizeOf(v.type); ++k) v.init.push_back(static_cast<u8>(bits >> (8 * k)));
}

}  // namespace leetemu
