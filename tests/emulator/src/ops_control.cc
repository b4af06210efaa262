// Branches, calls, exits, barriers and fences.
#include "ops.h"

namespace leetemu {
namespace {

void buildBra(Builder &b) {
  b.mod("uni");
  b.expectOperands(1, 1);
  b.kernel.fixup(static_cast<u32>(b.kernel.out.code.size()), b.frame, b.label(b.operand(0)));
  b.emit(Flow::branch);
}

void buildBrx(Builder &b) {
  b.need("idx");
  b.mod("uni");
  b.expectOperands(2, 2);
  b.ins.a = b.src(0, Ty::u32);
  std::vector<u32> statements = b.targets(b.operand(1));
  b.setList(std::vector<Ref>(statements.size(), 0));
  for (size_t k = 0; k < statements.size(); ++k)
    b.kernel.fixupList(b.ins.list + static_cast<u32>(k), b.frame, statements[k]);
  b.emit(Flow::indexed);
}

void buildRet(Builder &b) {
  b.mod("uni");
  b.expectOperands(0, 0);
  b.ins.a = b.frame.returnAddress;
  b.emit(Flow::ret);
}

void buildExit(Builder &b) {
  b.expectOperands(0, 0);
  b.emit(Flow::exit);
}

void buildTrap(Builder &b) {
  b.expectOperands(0, 0);
  b.emit(Flow::trap);
}

// From one place in local memory (imm) to another (list[0]), size list[1], for the lanes.
void copyLocal(Warp &w, const Ins &i, u32 m) {
  u32 stride = w.cta->launch->kernel->localBytes;
  u32 to = w.lists[i.list], bytes = w.lists[i.list + 1];
  lanes(m, [&](u32 l) { memcpy(w.local + l * stride + to, w.local + l * stride + i.imm, bytes); });
}

void emitCopies(Builder &b, Frame &callee, const std::vector<Operand> &actual, const std::vector<Variable> &formal,
                size_t firstFormal, bool toCallee) {
  if (actual.size() != formal.size()) b.fail("the number of arguments differs from the declaration");
  for (size_t k = 0; k < actual.size(); ++k) {
    Frame::Slot mine;
    if (actual[k].kind != Operand::symbol || !b.kernel.findSlot(b.frame, b.s, actual[k].name, &mine) ||
        mine.space != Space::local)
      b.fail("arguments must be .param variables");
    u32 theirs = static_cast<u32>(callee.variables[firstFormal + k].address), here = static_cast<u32>(mine.address);
    b.ins.imm = toCallee ? here : theirs;
    b.setList({toCallee ? theirs : here, static_cast<u32>(formal[k].bytes)});
    b.emit(copyLocal);
  }
}

// call (results), function, (arguments): copies the arguments, calls, copies the results.
void buildCall(Builder &b) {
  b.mod("uni");
  b.finish();
  static const std::vector<Operand> none;
  size_t k = 0;
  const std::vector<Operand> &results =
      b.operands() && b.operand(0).kind == Operand::list ? b.operand(k++).parts : none;
  if (k >= b.operands() || b.operand(k).kind != Operand::symbol) b.fail("only direct calls are supported");
  Frame *callee = b.kernel.frameOf(b.operand(k).name);
  if (!callee) b.fail("function " + b.operand(k).name + " has no body in this module");
  ++k;
  const std::vector<Operand> &arguments = k < b.operands() ? b.operand(k++).parts : none;
  if (k != b.operands()) b.fail("too many operands");
  const FunctionAst &f = *callee->ast;
  emitCopies(b, *callee, arguments, f.params, 0, true);
  Ins saved = b.ins;
  b.ins = Ins();
  b.ins.d = callee->returnAddress;
  b.kernel.fixupCall(static_cast<u32>(b.kernel.out.code.size()), *callee);
  b.emit(Flow::call);
  b.ins = saved;
  b.ins.fn = nullptr;
  emitCopies(b, *callee, results, f.results, f.params.size(), false);
}

void buildBarrier(Builder &b, bool isBar) {
  if (b.mod("warp")) {
    b.need("sync");
    b.expectOperands(1, 1);
    b.ins.b = b.src(0, Ty::b32);
    b.ins.aux = 1;
    b.countAs("bar.warp");
    b.ins.fn = [](Warp &w, const Ins &, u32) { w.cta->shadow.warpSync(w.id); };
    return b.emit(Flow::converge);
  }
  b.mod("cta");
  int kind = b.oneOf({"sync", "arrive", "red"});
  int reduce = kind == 2 ? b.oneOf({"popc", "and", "or"}) : -1;
  if (!isBar) b.mod("aligned");
  if (kind == 2) b.typeOrNone();
  if (kind < 0 || (kind == 2 && reduce < 0)) b.fail("needs .sync, .arrive or .red with .popc, .and or .or");
  size_t first = kind == 2 ? 1 : 0, last = b.operands() - (kind == 2 ? 1 : 0);
  b.expectOperands(kind == 0 ? 1 : kind == 1 ? 2 : 3, kind == 2 ? 4 : 2);
  BarrierKind kinds[] = {BarrierKind::sync, BarrierKind::arrive, BarrierKind::redPopc, BarrierKind::redAnd,
                         BarrierKind::redOr};
  b.ins.aux = static_cast<u8>(kinds[kind == 2 ? 2 + reduce : kind]);
  b.ins.a = b.src(first, Ty::u32);
  if (last > first + 1) b.ins.b = b.src(first + 1, Ty::u32);
  if (kind == 2) {
    bool negated = false;
    b.ins.d = b.dst(0, reduce == 0 ? Ty::u32 : Ty::pred);
    b.ins.c = b.predicate(b.operand(b.operands() - 1), &negated);
    b.ins.size = negated;
  }
  b.countAs("bar");
  b.emit(Flow::barrier);
}

void buildBar(Builder &b) { buildBarrier(b, true); }
void buildBarrierOp(Builder &b) { buildBarrier(b, false); }

void nothing(Warp &, const Ins &, u32) {}

// Memory is sequentially consistent here, so that fences have nothing to do.
void buildFence(Builder &b) {
  b.ignore({"sc", "acq_rel", "cta", "gpu", "sys", "gl"});
  b.expectOperands(0, 0);
  b.emit(nothing);
}

void buildNanosleep(Builder &b) {
  b.need("u32");
  b.expectOperands(1, 1);
  b.src(0, Ty::u32);
  b.emit(nothing);
}

const Op OPS[] = {
    {"bra", buildBra},           {"brx", buildBrx},      {"ret", buildRet},     {"exit", buildExit},
    {"trap", buildTrap},         {"brkpt", buildTrap},   {"call", buildCall},   {"bar", buildBar},
    {"barrier", buildBarrierOp}, {"membar", buildFence}, {"fence", buildFence}, {"nanosleep", buildNanosleep},
};

}  // namespace

OpList controlOps() { return {OPS, sizeof OPS / sizeof OPS[0]}; }

}  // namespace leetemu
