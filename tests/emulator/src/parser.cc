#include "parser.h"

#include <cstdlib>
#include <set>

#include "cuda_abi.h"
#include "fault.h"
#include "parse_variable.h"

namespace leetemu {

bool isSpecialRegister(const std::string &name) {
  static const std::set<std::string> names = {
      "tid.x",          "tid.y",       "tid.z",          "ntid.x",      "ntid.y",         "ntid.z",
      "ctaid.x",        "ctaid.y",     "ctaid.z",        "nctaid.x",    "nctaid.y",       "nctaid.z",
      "laneid",         "warpid",      "nwarpid",        "smid",        "nsmid",          "gridid",
      "lanemask_eq",    "lanemask_le", "lanemask_lt",    "lanemask_ge", "lanemask_gt",    "clock",
      "clock64",        "globaltimer", "globaltimer_lo", "clock_hi",    "globaltimer_hi", "dynamic_smem_size",
      "total_smem_size"};
  return names.count(name) != 0;
}

namespace {

class Parser : VariableParser {
 public:
  explicit Parser(std::shared_ptr<const std::string> source) : VariableParser(source, *source, 1, true) {}
  Parser(std::shared_ptr<const std::string> source, const FunctionAst &entry)
      : VariableParser(source, entry.text, entry.textLine, false) {}

  ModuleAst run() {
    while (cur().kind != Tok::end) topLevel();
    if (m_.versionMajor == 0) fail("no .version directive");
    if (m_.target == 0) fail("no .target directive");
    m_.source = source_;
    return std::move(m_);
  }

  FunctionAst runBody(FunctionAst f) {
    begin(f);
    while (cur().kind != Tok::end) statement();
    return f;
  }

 private:
  void topLevel() {
    if (acceptDotted("version")) {
      // "9.0" is read as one decimal number.
      std::string text = this->text();
      ++p_;
      m_.versionMajor = static_cast<u32>(atoi(text.c_str()));
      size_t dot = text.find('.');
      m_.versionMinor = dot == std::string::npos ? 0 : static_cast<u32>(atoi(text.c_str() + dot + 1));
    } else if (acceptDotted("target")) {
      do {
        std::string name = word();
        if (name.rfind("sm_", 0) == 0) m_.target = static_cast<u32>(atoi(name.c_str() + 3));
        else if (name != "debug" && name != "texmode_independent") fail("unknown target " + name);
      } while (accept(','));
    } else if (acceptDotted("address_size")) {
      if (integer() != 64) fail("only 64-bit addresses are supported");
    } else if (acceptDotted("section")) {
      skipSection();
    } else {
      declaration();
    }
  }

  void skipSection() {
    while (!isPunct('{')) ++p_;
    int depth = 0;
    do {
      if (isPunct('{')) ++depth;
      if (isPunct('}')) --depth;
      if (cur().kind == Tok::end) fail("unterminated .section");
      ++p_;
    } while (depth);
  }

  void declaration() {
    bool isExtern = false;
    while (isDotted("visible") || isDotted("extern") || isDotted("weak") || isDotted("common"))
      isExtern |= isDotted("extern"), ++p_;
    if (isDotted("entry") || isDotted("func")) return function();
    m_.variables.push_back(variable(isExtern));
    while (accept(',')) m_.variables.push_back(nextOfSameKind(m_.variables.back()));
    expect(';');
  }

  void function() {
    FunctionAst f;
    f.line = cur().line;
    f.isEntry = isDotted("entry");
    ++p_;
    if (isPunct('(')) f.results = params();
    f.name = word();
    if (isPunct('(')) f.params = params();
    while (cur().kind == Tok::dotted) functionDirective(f);
    if (accept(';')) {
      m_.functions.push_back(std::move(f));
      return;
    }
    f.hasBody = true;
    if (cur().kind == Tok::body) {
      f.text = cur().text;
      f.textLine = cur().line;
      ++p_;
    } else {
      begin(f);
      expect('{');
      while (!accept('}')) statement();
    }
    m_.functions.push_back(std::move(f));
    f_ = nullptr;
  }

  // What follows are the statements of f.
  void begin(FunctionAst &f) {
    f_ = &f;
    f.scopes.push_back({});
    scope_ = 0;
    for (auto *list : {&f.params, &f.results})
      for (Variable &v : *list) addVariable(v);
  }

  std::vector<Variable> params() {
    std::vector<Variable> list;
    expect('(');
    while (!accept(')')) {
      list.push_back(variable(false));
      accept(',');
    }
    return list;
  }

  void functionDirective(FunctionAst &f) {
    std::string name = text();
    ++p_;
    if (name == "maxntid" || name == "reqntid") {
      u32 *dims = name == "maxntid" ? f.maxThreads : f.requiredThreads;
      for (int k = 0; k < 3; ++k) dims[k] = k == 0 || accept(',') ? static_cast<u32>(integer()) : 1;
    } else if (name == "minnctapersm" || name == "maxnreg") {
      integer();
    } else if (name != "noreturn") {
      fail("unknown function directive ." + name);
    }
  }

  u32 addVariable(const Variable &v) {
    f_->variables.push_back(v);
    u32 index = static_cast<u32>(f_->variables.size() - 1);
    f_->scopes[scope_].variables[v.name] = index;
    return index;
  }

  void statement() {
    if (accept('{')) {
      f_->scopes.push_back({});
      f_->scopes.back().parent = static_cast<i32>(scope_);
      u32 outer = scope_;
      scope_ = static_cast<u32>(f_->scopes.size() - 1);
      while (!accept('}')) statement();
      scope_ = outer;
    } else if (accept(';')) {
    } else if (cur().kind == Tok::dotted) {
      localDirective();
    } else if (cur().kind == Tok::word && ahead(1).kind == Tok::punct && ahead(1).text == ":") {
      std::string name = word();
      expect(':');
      if (acceptDotted("branchtargets")) branchTargets(name);
      else if (!f_->scopes[scope_].labels.emplace(name, static_cast<u32>(f_->body.size())).second)
        fail("label " + name + " is defined twice");
    } else {
      instruction();
    }
  }

  void branchTargets(const std::string &name) {
    std::vector<std::string> targets;
    do targets.push_back(word());
    while (accept(','));
    expect(';');
    f_->branchTargets.emplace_back(name, targets);
  }

  void localDirective() {
    if (acceptDotted("reg")) {
      registers();
    } else if (acceptDotted("pragma")) {
      ++p_;
      expect(';');
    } else {
      Variable v = variable(false);
      addVariable(v);
      while (accept(',')) addVariable(nextOfSameKind(v));
      expect(';');
    }
  }

  void registers() {
    if (isDotted("v2") || isDotted("v4")) fail("vector registers are not supported");
    Ty type = cur().kind == Tok::dotted ? typeNamed(cur().text) : Ty::none;
    if (type == Ty::none) fail("unknown register type ." + text());
    ++p_;
    do {
      std::string name = word();
      if (!accept('<')) {
        addRegister(name, type);
        continue;
      }
      u64 count = integer();
      if (count > 1'000'000) fail("too many registers");
      expect('>');
      for (u64 k = 0; k < count; ++k) addRegister(name + std::to_string(k), type);
    } while (accept(','));
    expect(';');
  }

  void addRegister(const std::string &name, Ty type) {
    f_->registers.push_back({name, type});
    f_->scopes[scope_].registers[name] = static_cast<u32>(f_->registers.size() - 1);
  }

  bool findRegister(const std::string &name, u32 &index) const {
    for (i32 s = static_cast<i32>(scope_); s >= 0; s = f_->scopes[static_cast<u32>(s)].parent) {
      auto &scope = f_->scopes[static_cast<u32>(s)];
      auto it = scope.registers.find(name);
      if (it != scope.registers.end()) return index = it->second, true;
      if (scope.variables.count(name)) return false;
    }
    return false;
  }

  void instruction() {
    Statement s;
    s.scope = scope_;
    if (accept('@')) {
      s.guardNegated = accept('!');
      u32 index = 0;
      std::string name = word();
      if (!findRegister(name, index) || f_->registers[index].type != Ty::pred) fail(name + " is not a predicate");
      s.guard = static_cast<i32>(index);
    }
    s.line = cur().line;
    if (cur().kind != Tok::word) fail("expected an instruction before '" + text() + "'");
    s.op = t_[p_++].text;
    for (; cur().kind == Tok::dotted; ++p_) s.mods.push_back(cur().text);
    while (!accept(';')) {
      s.operands.push_back(operand());
      if (!isPunct(';')) expect(',');
    }
    f_->body.push_back(std::move(s));
  }

  Operand group(Operand::Kind kind, char close) {
    Operand o;
    o.kind = kind;
    while (!accept(close)) {
      o.parts.push_back(operand());
      if (!isPunct(close)) expect(',');
    }
    return o;
  }

  Operand operand() {
    if (accept('{')) return group(Operand::vec, '}');
    if (accept('(')) return group(Operand::list, ')');
    if (accept('[')) return address();
    if (accept('!')) {
      Operand o = operand();
      o.negated = true;
      return o;
    }
    Operand o = single();
    if (!accept('|')) return o;
    Operand pair;
    pair.kind = Operand::pair;
    pair.parts = {o, single()};
    return pair;
  }

  Operand address() {
    Operand o;
    o.kind = Operand::address;
    if (cur().kind == Tok::word) {
      Operand base = single();
      o.offset = base.offset;
      base.offset = 0;
      o.parts.push_back(base);
      while (isPunct('+') || isPunct('-')) {
        bool minus = isPunct('-');
        ++p_;
        i64 v = static_cast<i64>(integer());
        o.offset += minus ? -v : v;
      }
    } else {
      o.offset = static_cast<i64>(integer());
    }
    expect(']');
    return o;
  }

  Operand single() {
    Operand o;
    const Token &t = cur();
    if (t.kind == Tok::integer || isPunct('-')) {
      o.kind = Operand::integer;
      o.value = integer();
      return o;
    }
    if (t.kind == Tok::f32bits || t.kind == Tok::f64bits) {
      o.kind = t.kind == Tok::f32bits ? Operand::f32bits : Operand::f64bits;
      o.value = t.value;
      ++p_;
      return o;
    }
    o.name = word();
    if (o.name == "_") {
      o.kind = Operand::sink;
    } else if (findRegister(o.name, o.index)) {
      o.kind = Operand::reg;
    } else if (o.name[0] == '%') {
      o.kind = Operand::special;
      o.name.erase(0, 1);
      if (cur().kind == Tok::dotted) o.name += "." + text(), ++p_;
      if (!isSpecialRegister(o.name)) fail("unknown register %" + o.name);
    } else if (o.name == "WARP_SZ") {
      o.kind = Operand::integer;
      o.value = WARP;
    } else {
      o.kind = Operand::symbol;
      if (isPunct('+') || (isPunct('-') && ahead(1).kind == Tok::integer)) {
        bool minus = isPunct('-');
        ++p_;
        i64 v = static_cast<i64>(integer());
        o.offset = minus ? -v : v;
      }
    }
    return o;
  }

  ModuleAst m_;
  FunctionAst *f_ = nullptr;
  u32 scope_ = 0;
};

}  // namespace

ModuleAst parse(std::string source) { return Parser(std::make_shared<const std::string>(std::move(source))).run(); }

FunctionAst parseBody(const ModuleAst &module, const FunctionAst &entry) {
  return Parser(module.source, entry).runBody(entry);
}

}  // namespace leetemu
