#include "decode.h"

#include <algorithm>
#include <queue>

#include "cuda_abi.h"
#include "fault.h"
#include "liveness.h"
#include "parser.h"

namespace leetemu {
namespace {

const std::unordered_map<std::string, const Op *> &opTable() {
  static const auto table = [] {
    std::unordered_map<std::string, const Op *> t;
    for (OpList list : {integerOps(), floatOps(), logicOps(), compareOps(), convertOps(), memoryOps(), atomicOps(),
                        asyncOps(), warpOps(), controlOps(), tensorOps()})
      for (size_t k = 0; k < list.count; ++k) t[list.first[k].name] = &list.first[k];
    return t;
  }();
  return table;
}

u32 bytesInFile(Ty t) { return t == Ty::pred ? 4 : std::max(2u, sizeOf(t)) * WARP; }

}  // namespace

Ref KernelDecoder::addRegister(u32 bytes) {
  out.registerBytes = static_cast<u32>(roundUp(out.registerBytes, bytes >= 64 ? 64 : 4));
  Ref r = out.registerBytes;
  out.registerBytes += bytes;
  return r;
}

u32 KernelDecoder::addLocal(u64 bytes, u32 align) {
  localBytes_ = static_cast<u32>(roundUp(localBytes_, std::max(align, 4u)));
  u32 at = localBytes_;
  if (bytes > WINDOW_BYTES) throw Fault(CUDA_ERROR_INVALID_PTX, out.name + ": local memory is too large");
  localBytes_ += static_cast<u32>(roundUp(bytes, 4));
  return at;
}

Ref KernelDecoder::constant(u64 value, u32 bytes) {
  auto [it, isNew] = constants_.try_emplace({value, bytes}, 0);
  if (!isNew) return it->second;
  u32 at = static_cast<u32>(out.constants.size() * 8);
  // bytes = 0 is a predicate: one word of lane bits.
  u32 total = bytes == 0 ? 8 : bytes * WARP;
  out.constants.resize(out.constants.size() + roundUp(total, 64) / 8);
  u8 *p = reinterpret_cast<u8 *>(out.constants.data()) + at;
  if (bytes == 0) memcpy(p, &value, 4);
  else
    for (u32 l = 0; l < WARP; ++l) memcpy(p + l * bytes, &value, bytes);
  return it->second = at | CONSTANT;
}

Ref KernelDecoder::special(const std::string &name) {
  auto [it, isNew] = specials_.try_emplace(name, 0);
  if (isNew) {
    it->second = addRegister(4 * WARP);
    out.specials.push_back({name, it->second});
  }
  return it->second;
}

u32 KernelDecoder::nameIndex(const std::string &name) {
  auto [it, isNew] = names_.try_emplace(name, static_cast<u32>(out.opNames.size()));
  if (isNew) out.opNames.push_back(name);
  return it->second;
}

u32 KernelDecoder::addShared(const Variable &v) {
  out.sharedBytes = static_cast<u32>(roundUp(out.sharedBytes, std::max(v.align, 1u)));
  u32 at = SHARED_BASE + out.sharedBytes;
  out.sharedBytes += static_cast<u32>(v.bytes);
  return at;
}

// A place for every register, shared by those that are not alive at the same time. What may be read before it is
// written comes first and keeps its place, so that it holds the pattern of the schedule.
void KernelDecoder::placeRegisters(Frame &f) {
  const std::vector<Register> &registers = f.ast->registers;
  std::vector<LiveRange> ranges = frames_.size() == 1 ? liveRanges(*f.ast) : std::vector<LiveRange>();
  f.registers.assign(registers.size(), 0);
  for (size_t k = 0; k < registers.size(); ++k)
    if (ranges.empty() || ranges[k].fromStart) f.registers[k] = addRegister(bytesInFile(registers[k].type));
  out.clearedBytes = out.registerBytes;
  std::vector<u32> order;
  for (u32 k = 0; k < ranges.size(); ++k)
    if (!ranges[k].fromStart && ranges[k].first <= ranges[k].last) order.push_back(k);
  std::sort(order.begin(), order.end(), [&](u32 a, u32 b) { return ranges[a].first < ranges[b].first; });
  std::map<u32, std::vector<Ref>> free;  // by bytes
  std::priority_queue<std::pair<u32, u32>, std::vector<std::pair<u32, u32>>, std::greater<>>
      held;  // last use, register
  for (u32 k : order) {
    for (; !held.empty() && held.top().first < ranges[k].first; held.pop()) {
      u32 r = held.top().second;
      free[bytesInFile(registers[r].type)].push_back(f.registers[r]);
    }
    std::vector<Ref> &places = free[bytesInFile(registers[k].type)];
    if (places.empty()) places.push_back(addRegister(bytesInFile(registers[k].type)));
    f.registers[k] = places.back();
    places.pop_back();
    held.push({ranges[k].last, k});
  }
}

void KernelDecoder::layout(Frame &f) {
  placeRegisters(f);
  out.registerCount += static_cast<u32>(f.ast->registers.size());
  size_t formals = f.ast->params.size() + f.ast->results.size();
  for (size_t k = 0; k < f.ast->variables.size(); ++k) {
    const Variable &v = f.ast->variables[k];
    if (f.ast->isEntry && k < formals) {
      out.paramBytes = static_cast<u32>(roundUp(out.paramBytes, std::max(v.align, 1u)));
      f.variables.push_back({Space::param, out.paramBytes});
      out.params.push_back({out.paramBytes, static_cast<u32>(v.bytes)});
      out.paramBytes += static_cast<u32>(v.bytes);
    } else if (v.space == Space::shared) {
      f.variables.push_back({Space::shared, addShared(v)});
    } else if (v.space == Space::local || v.space == Space::param) {
      f.variables.push_back({Space::local, addLocal(v.bytes, v.align)});
    } else {
      throw Fault(CUDA_ERROR_INVALID_PTX,
                  format("PTX line %u: a %s variable inside a function is not supported", v.line, nameOf(v.space)));
    }
  }
  if (!f.ast->isEntry) f.returnAddress = addRegister(4 * WARP);
}

// Finds the functions and the shared variables that a kernel reaches, so that every address is known before decoding.
void KernelDecoder::discover(const FunctionAst &f) {
  if (std::find(callStack_.begin(), callStack_.end(), f.name) != callStack_.end())
    throw Fault(CUDA_ERROR_INVALID_PTX, "recursion through " + f.name + " is not supported");
  if (frames_.count(f.name)) return;
  callStack_.push_back(f.name);
  for (const Statement &s : f.body) discoverSymbols(s.operands);
  callStack_.pop_back();
  Frame &frame = frames_[f.name];
  frame.ast = &f;
  order_.push_back(&frame);
}

void KernelDecoder::discoverSymbols(const std::vector<Operand> &operands) {
  for (const Operand &o : operands) {
    discoverSymbols(o.parts);
    if (o.kind != Operand::symbol) continue;
    for (const FunctionAst &f : module.functions)
      if (f.name == o.name && f.hasBody && !f.isEntry) discover(f);
    for (const Variable &v : module.variables)
      if (v.name == o.name && v.space == Space::shared) moduleShared_[v.name] = 0;
  }
}

bool KernelDecoder::findSlot(const Frame &f, const Statement &s, const std::string &name, Frame::Slot *slot) {
  for (i32 k = static_cast<i32>(s.scope); k >= 0; k = f.ast->scopes[static_cast<u32>(k)].parent) {
    auto &table = f.ast->scopes[static_cast<u32>(k)].variables;
    auto it = table.find(name);
    if (it != table.end()) return *slot = f.variables[it->second], true;
  }
  auto it = moduleShared_.find(name);
  if (it != moduleShared_.end()) return *slot = {Space::shared, it->second}, true;
  u64 address = 0;
  bool isConstant = false;
  if (!lookup(name, &address, &isConstant)) return false;
  *slot = {isConstant ? Space::constant : Space::global, address};
  return true;
}

Frame *KernelDecoder::frameOf(const std::string &function) {
  auto it = frames_.find(function);
  return it == frames_.end() ? nullptr : &it->second;
}

void KernelDecoder::decodeBody(Frame &f) {
  f.start = static_cast<u32>(out.code.size());
  for (const Statement &s : f.ast->body) {
    f.pcs.push_back(static_cast<u32>(out.code.size()));
    auto it = opTable().find(std::string(s.op));
    Builder b(*this, f, s);
    if (it == opTable().end()) b.fail("unknown instruction");
    it->second->build(b);
  }
  f.pcs.push_back(static_cast<u32>(out.code.size()));
  // Control that runs off the end of a body returns.
  Statement end;
  end.op = "ret";
  end.line = f.ast->body.empty() ? f.ast->line : f.ast->body.back().line;
  Builder b(*this, f, end);
  b.ins.a = f.returnAddress;
  b.emit(Flow::ret);
}

void KernelDecoder::resolve() {
  for (const Fixup &x : fixups_) {
    u32 pc = x.frame->pcs[x.statement];
    if (x.isList) out.lists[x.at] = pc;
    else out.code[x.at].imm = pc;
  }
  for (auto &[at, frame] : calls_) out.code[at].imm = frame->start;
}

Kernel KernelDecoder::run(const FunctionAst &entry) {
  out.name = entry.name;
  out.source = module.source;
  out.target = module.target;
  out.version = module.versionMajor * 10 + module.versionMinor;
  std::copy(entry.maxThreads, entry.maxThreads + 3, out.maxThreads);
  std::copy(entry.requiredThreads, entry.requiredThreads + 3, out.requiredThreads);
  discover(entry);
  for (Frame *f : order_) layout(*f);
  if (order_.size() > 1) out.clearedBytes = out.registerBytes;
  for (const Variable &v : module.variables)
    if (!v.isExtern && moduleShared_.count(v.name)) moduleShared_[v.name] = addShared(v);
  for (const Variable &v : module.variables)
    if (v.isExtern && moduleShared_.count(v.name)) out.sharedAlign = std::max(out.sharedAlign, v.align);
  out.sharedBytes = static_cast<u32>(roundUp(out.sharedBytes, out.sharedAlign));
  for (const Variable &v : module.variables)
    if (v.isExtern && moduleShared_.count(v.name)) moduleShared_[v.name] = SHARED_BASE + out.sharedBytes;
  for (Frame *f : order_) decodeBody(*f);
  resolve();
  out.entry = frames_.at(entry.name).start;
  out.localBytes = static_cast<u32>(roundUp(localBytes_, 16));
  out.counts.resize(out.code.size());
  return std::move(out);
}

Kernel decodeKernel(const ModuleAst &module, const FunctionAst &entry, const GlobalLookup &lookup) {
  return KernelDecoder(module, lookup).run(parseBody(module, entry));
}

}  // namespace leetemu
