// From a parsed function to a Kernel. Builder is what the ops_*.cc files use to turn one statement into instructions.
#pragma once
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "ast.h"
#include "program.h"

namespace leetemu {

// Address of a module variable in global or constant memory; false for names that are none.
using GlobalLookup = std::function<bool(const std::string &name, u64 *address, bool *isConstant)>;

Kernel decodeKernel(const ModuleAst &module, const FunctionAst &entry, const GlobalLookup &lookup);

// Storage of one function inside a kernel. Frames are static: a function has one, so recursion is refused.
struct Frame {
  const FunctionAst *ast = nullptr;
  std::vector<Ref> registers;
  struct Slot {
    Space space;
    u64 address;  // offset in shared or local memory, or in the parameters of the kernel
  };
  std::vector<Slot> variables;
  Ref returnAddress = NO_REF;
  u32 start = 0;         // pc of the first instruction
  std::vector<u32> pcs;  // by statement
};

class KernelDecoder;

class Builder {
 public:
  Builder(KernelDecoder &k, Frame &f, const Statement &s) : kernel(k), frame(f), s(s), used_(s.mods.size()) {}

  // Modifiers. Each may be taken once, in any order; leftovers are an error.
  bool mod(const char *name);
  // The first modifier of the list that is present, or -1.
  int oneOf(std::initializer_list<const char *> names);
  void need(const char *name);
  Ty type();  // the next type modifier; an error if there is none
  Ty typeOrNone();
  void ignore(std::initializer_list<const char *> names);
  std::string nextMod();  // the next modifier that was not taken, or ""
  void finish();          // no modifier is left

  size_t operands() const { return s.operands.size(); }
  void expectOperands(size_t low, size_t high);
  const Operand &operand(size_t k) const { return s.operands[k]; }
  // Operand k, read or written with elements of type t. The register must have the size of t.
  Ref src(size_t k, Ty t) { return srcOf(operand(k), t); }
  Ref dst(size_t k, Ty t) { return dstOf(operand(k), t); }
  Ref srcOf(const Operand &o, Ty t);
  Ref dstOf(const Operand &o, Ty t);
  // Any register width from that of t upwards; *bytes gets it. Immediates get the width of t.
  Ref srcWide(const Operand &o, Ty t, u32 *bytes);
  Ref dstWide(const Operand &o, Ty t, u32 *bytes);
  // A predicate; *negated tells about !p.
  Ref predicate(const Operand &o, bool *negated);
  // Fills a, imm, addr32 and space of ins from an address operand.
  void address(size_t k, Space space);
  Ref constant(u64 value, u32 bytes);
  bool immediate(const Operand &o, u64 *value) const { return *value = o.value, o.kind == Operand::integer; }
  u32 label(const Operand &o);  // index of a statement
  std::vector<u32> targets(const Operand &o);
  void setList(const std::vector<Ref> &refs);
  // The full opcode, for messages and for opcode tables.
  std::string opcode() const;

  void emit(Handler fn) {
    ins.fn = fn;
    emit();
  }
  void emit(Flow flow) {
    ins.flow = flow;
    emit();
  }
  void emit();
  [[noreturn]] void fail(const std::string &what) const;
  void countAs(const std::string &name) { countName_ = name; }

  KernelDecoder &kernel;
  Frame &frame;
  const Statement &s;
  Ins ins;

 private:
  u32 registerBytes(const Operand &o) const;
  Ref symbolValue(const Operand &o, u32 bytes);
  std::vector<bool> used_;
  std::string countName_;
};

struct Op {
  const char *name;
  void (*build)(Builder &);
};
struct OpList {
  const Op *first;
  size_t count;
};
// One list per ops_*.cc file.
OpList integerOps();
OpList floatOps();
OpList logicOps();
OpList compareOps();
OpList convertOps();
OpList memoryOps();
OpList atomicOps();
OpList asyncOps();
OpList warpOps();
OpList controlOps();
OpList tensorOps();

class KernelDecoder {
 public:
  KernelDecoder(const ModuleAst &m, const GlobalLookup &lookup) : module(m), lookup(lookup) {}
  Kernel run(const FunctionAst &entry);

  Frame *frameOf(const std::string &function);  // null when the module has no such function
  Ref addRegister(u32 bytes);
  Ref constant(u64 value, u32 bytes);
  Ref special(const std::string &name);
  u32 nameIndex(const std::string &name);
  // The place of a variable by name as seen from a statement; false when there is none.
  bool findSlot(const Frame &f, const Statement &s, const std::string &name, Frame::Slot *out);
  // A branch from instruction `at` to a statement of its function.
  void fixup(u32 at, const Frame &f, u32 statement) { fixups_.push_back({at, &f, statement, false}); }
  void fixupList(u32 listIndex, const Frame &f, u32 statement) { fixups_.push_back({listIndex, &f, statement, true}); }
  void fixupCall(u32 at, const Frame &f) { calls_.push_back({at, &f}); }

  const ModuleAst &module;
  const GlobalLookup &lookup;
  Kernel out;

 private:
  struct Fixup {
    u32 at;
    const Frame *frame;
    u32 statement;
    bool isList;
  };
  void discover(const FunctionAst &f);
  void discoverSymbols(const std::vector<Operand> &operands);
  void placeRegisters(Frame &f);
  void layout(Frame &f);
  void decodeBody(Frame &f);
  void resolve();
  u32 addLocal(u64 bytes, u32 align);
  u32 addShared(const Variable &v);

  std::map<std::string, Frame> frames_;
  std::vector<Frame *> order_;  // callees before callers
  std::vector<std::string> callStack_;
  std::vector<Fixup> fixups_;
  std::vector<std::pair<u32, const Frame *>> calls_;
  std::map<std::pair<u64, u32>, Ref> constants_;
  std::map<std::string, Ref> specials_;
  std::map<std::string, u32> names_;
  std::map<std::string, u32> moduleShared_;  // offset of each shared variable of the module that the kernel uses
  u32 localBytes_ = LOCAL_BASE;
};

}  // namespace leetemu
