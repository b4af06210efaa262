// Builder: modifiers and operands of one statement.
#include <algorithm>

#include "cuda_abi.h"
#include "decode.h"
#include "fault.h"
#include "lexer.h"
#include "liveness.h"

namespace leetemu {

std::string Builder::opcode() const {
  std::string text(s.op);
  for (std::string_view m : s.mods) (text += ".") += m;
  return text;
}

void Builder::fail(const std::string &what) const {
  throw Fault(CUDA_ERROR_INVALID_PTX, format("PTX line %u, %s: %s: %s", s.line, opcode().c_str(), what.c_str(),
                                             lineOf(*kernel.module.source, s.line).c_str()));
}

bool Builder::mod(const char *name) {
  for (size_t k = 0; k < s.mods.size(); ++k)
    if (!used_[k] && s.mods[k] == name) return used_[k] = true;
  return false;
}

int Builder::oneOf(std::initializer_list<const char *> names) {
  int k = 0;
  for (const char *name : names) {
    if (mod(name)) return k;
    ++k;
  }
  return -1;
}

void Builder::need(const char *name) {
  if (!mod(name)) fail(std::string("needs .") + name);
}

void Builder::ignore(std::initializer_list<const char *> names) {
  for (const char *name : names) mod(name);
}

std::string Builder::nextMod() {
  for (size_t k = 0; k < s.mods.size(); ++k)
    if (!used_[k]) return used_[k] = true, std::string(s.mods[k]);
  return "";
}

Ty Builder::typeOrNone() {
  for (size_t k = 0; k < s.mods.size(); ++k)
    if (Ty t = used_[k] ? Ty::none : typeNamed(s.mods[k]); t != Ty::none) return used_[k] = true, t;
  return Ty::none;
}

Ty Builder::type() {
  Ty t = typeOrNone();
  if (t == Ty::none) fail("has no type");
  return t;
}

void Builder::finish() {
  for (size_t k = 0; k < s.mods.size(); ++k)
    if (!used_[k]) fail("modifier ." + std::string(s.mods[k]) + " is not supported here");
}

void Builder::expectOperands(size_t low, size_t high) {
  finish();
  if (s.operands.size() < low || s.operands.size() > high)
    fail(format("%zu operands, expected %zu", s.operands.size(), low));
}

u32 Builder::registerBytes(const Operand &o) const {
  Ty t = frame.ast->registers[o.index].type;
  return t == Ty::pred ? 0 : std::max(2u, sizeOf(t));
}

Ref Builder::constant(u64 value, u32 bytes) { return kernel.constant(value, bytes); }

Ref Builder::symbolValue(const Operand &o, u32 bytes) {
  Frame::Slot slot;
  if (!kernel.findSlot(frame, s, o.name, &slot)) fail("unknown name " + o.name);
  u64 address = slot.address + static_cast<u64>(o.offset);
  if (bytes < 4 || (bytes == 4 && (slot.space == Space::global || slot.space == Space::constant)))
    fail("the address of " + o.name + " does not fit the register");
  return constant(address, bytes);
}

Ref Builder::srcOf(const Operand &o, Ty t) {
  u32 bytes = std::max(2u, sizeOf(t));
  if (o.negated) fail("! is only for predicates");
  switch (o.kind) {
    case Operand::reg:
      if (registerBytes(o) != bytes)
        fail(format("register %s does not have the %u bits of the type", frame.ast->registers[o.index].name.c_str(),
                    bytes * 8));
      return frame.registers[o.index];
    case Operand::integer:
      if (isFloat(t) && o.value != 0) fail("an integer where a float is expected");
      return constant(bytes == 8 ? o.value : o.value & ((1ull << (8 * bytes)) - 1), bytes);
    case Operand::f32bits:
      if (bytes == 8) return constant(bitsAs<u64>(static_cast<double>(bitsAs<float>(static_cast<u32>(o.value)))), 8);
      if (bytes != 4) fail("a 32-bit float where another size is expected");
      return constant(o.value, 4);
    case Operand::f64bits:
      if (bytes == 4) return constant(bitsAs<u32>(static_cast<float>(bitsAs<double>(o.value))), 4);
      if (bytes != 8) fail("a 64-bit float where another size is expected");
      return constant(o.value, 8);
    case Operand::special:
      if (bytes != 4) fail("%" + o.name + " has 32 bits");
      return kernel.special(o.name);
    case Operand::symbol:
      return symbolValue(o, bytes);
    default:
      fail("unexpected kind of operand");
  }
}

Ref Builder::dstOf(const Operand &o, Ty t) {
  if (o.kind == Operand::sink) return kernel.addRegister(t == Ty::pred ? 4 : std::max(2u, sizeOf(t)) * WARP);
  if (o.kind != Operand::reg) fail("the destination is not a register");
  if (t == Ty::pred) {
    if (registerBytes(o) != 0) fail("the destination is not a predicate");
    return frame.registers[o.index];
  }
  return srcOf(o, t);
}

Ref Builder::srcWide(const Operand &o, Ty t, u32 *bytes) {
  *bytes = std::max(2u, sizeOf(t));
  if (o.kind != Operand::reg) return srcOf(o, t);
  if (registerBytes(o) < *bytes) fail("the register is narrower than the type");
  *bytes = registerBytes(o);
  return frame.registers[o.index];
}

Ref Builder::dstWide(const Operand &o, Ty t, u32 *bytes) {
  if (o.kind == Operand::sink) return *bytes = std::max(2u, sizeOf(t)), dstOf(o, t);
  if (o.kind != Operand::reg) fail("the destination is not a register");
  return srcWide(o, t, bytes);
}

Ref Builder::predicate(const Operand &o, bool *negated) {
  *negated = o.negated;
  if (o.kind == Operand::integer) return constant(o.value ? ALL_LANES : 0, 0);
  if (o.kind != Operand::reg || registerBytes(o) != 0) fail("a predicate is expected");
  return frame.registers[o.index];
}

void Builder::address(size_t k, Space space) {
  const Operand &o = operand(k);
  if (o.kind != Operand::address) fail("an address in [ ] is expected");
  ins.space = space;
  ins.imm = o.offset;
  ins.pattern = static_cast<u32>(kernel.out.patterns.size());
  kernel.out.patterns.emplace_back();
  if (o.parts.empty()) {
    ins.a = constant(0, 8);
  } else if (o.parts[0].kind == Operand::reg) {
    u32 bytes = registerBytes(o.parts[0]);
    if (bytes != 4 && bytes != 8) fail("an address needs a register of 32 or 64 bits");
    ins.addr32 = bytes == 4;
    ins.a = frame.registers[o.parts[0].index];
  } else if (o.parts[0].kind == Operand::symbol) {
    Frame::Slot slot;
    if (!kernel.findSlot(frame, s, o.parts[0].name, &slot)) fail("unknown name " + o.parts[0].name);
    bool callParam = space == Space::param && slot.space == Space::local;
    if (callParam) ins.space = Space::local;
    else if (space == Space::generic) ins.space = slot.space;
    else if (slot.space != space) fail(o.parts[0].name + " is in " + nameOf(slot.space) + " memory");
    ins.a = constant(slot.address, 8);
  } else {
    fail("bad address");
  }
}

u32 Builder::label(const Operand &o) {
  if (o.kind != Operand::symbol) fail("a label is expected");
  u32 statement = 0;
  if (!findLabel(*frame.ast, s.scope, o.name, &statement)) fail("unknown label " + o.name);
  return statement;
}

std::vector<u32> Builder::targets(const Operand &o) {
  for (auto &[name, labels] : frame.ast->branchTargets) {
    if (name != o.name) continue;
    std::vector<u32> statements;
    for (const std::string &target : labels) {
      Operand t;
      t.kind = Operand::symbol;
      t.name = target;
      statements.push_back(label(t));
    }
    return statements;
  }
  fail("unknown list of branch targets " + o.name);
}

void Builder::setList(const std::vector<Ref> &refs) {
  ins.list = static_cast<u32>(kernel.out.lists.size());
  ins.count = static_cast<u16>(refs.size());
  kernel.out.lists.insert(kernel.out.lists.end(), refs.begin(), refs.end());
}

void Builder::emit() {
  ins.line = s.line;
  ins.name = kernel.nameIndex(countName_.empty() ? std::string(s.op) : countName_);
  if (s.guard >= 0) {
    ins.guard = frame.registers[static_cast<u32>(s.guard)];
    ins.guardNegated = s.guardNegated;
  }
  kernel.out.code.push_back(ins);
}

}  // namespace leetemu
