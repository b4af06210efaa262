// A parsed PTX module. Names of registers are resolved; names of variables, labels and functions are not.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base.h"

namespace leetemu {

struct Operand {
  enum Kind : u8 {
    reg,      // index; member = "x" for %tid.x kept in `name` for special registers
    special,  // name is the special register, without the %
    symbol,   // name [+ offset]
    integer,  // value
    f32bits,
    f64bits,
    vec,      // parts
    address,  // parts[0] is a reg or symbol (or nothing), plus offset
    pair,     // parts[0]|parts[1]
    list,     // (parts) of a call
    sink      // _
  };
  Kind kind = integer;
  bool negated = false;  // !p
  u32 index = 0;
  u64 value = 0;
  i64 offset = 0;
  std::string name;
  std::vector<Operand> parts;
};

struct Statement {
  std::string_view op;  // this and the modifiers are parts of the source
  std::vector<std::string_view> mods;
  std::vector<Operand> operands;
  i32 guard = -1;  // register index of the guarding predicate
  bool guardNegated = false;
  u32 scope = 0;
  u32 line = 0;
};

// A variable of a module or a function.
struct Variable {
  std::string name;
  Space space = Space::global;
  Ty type = Ty::b8;
  u64 bytes = 0;
  u32 align = 1;
  bool isExtern = false;
  std::vector<u8> init;  // empty = zeros
  // Initialisers that are addresses: byte offset in `init`, name, added constant.
  struct Address {
    u64 at;
    std::string name;
    i64 offset;
  };
  std::vector<Address> addresses;
  u32 line = 0;
};

struct Register {
  std::string name;
  Ty type;
};

// A block { }: inner names hide outer ones.
struct Scope {
  i32 parent = -1;
  std::unordered_map<std::string, u32> registers;  // to FunctionAst::registers
  std::unordered_map<std::string, u32> variables;  // to FunctionAst::variables
  std::unordered_map<std::string, u32> labels;     // to the index of a statement
};

struct FunctionAst {
  std::string name;
  bool isEntry = false, hasBody = false;
  std::vector<Variable> params, results;
  std::vector<Register> registers;
  std::vector<Variable> variables;
  std::vector<Scope> scopes;
  std::vector<Statement> body;
  std::vector<std::pair<std::string, std::vector<std::string>>> branchTargets;  // .branchtargets
  u32 maxThreads[3] = {0, 0, 0}, requiredThreads[3] = {0, 0, 0};
  u32 line = 0;
  // What stands between the braces of an entry, until parseBody turns it into `body`.
  std::string_view text;
  u32 textLine = 0;
};

struct ModuleAst {
  u32 versionMajor = 0, versionMinor = 0;
  u32 target = 0;  // 80 for sm_80
  std::vector<Variable> variables;
  std::vector<FunctionAst> functions;
  std::shared_ptr<const std::string> source;
};

}  // namespace leetemu
