// Handlers by shape: an elementwise operation is a struct with a static run(); these templates apply it to the lanes.
#pragma once
#include "decode.h"
#include "warp.h"

namespace leetemu {

template <class D, class A, class Op>
void unary(Warp &w, const Ins &i, u32 m) {
  D *d = w.dst<D>(i.d);
  const A *a = w.src<A>(i.a);
  lanes(m, [=](u32 l) { d[l] = Op::run(a[l]); });
}

template <class D, class A, class B, class Op>
void binary(Warp &w, const Ins &i, u32 m) {
  D *d = w.dst<D>(i.d);
  const A *a = w.src<A>(i.a);
  const B *b = w.src<B>(i.b);
  lanes(m, [=](u32 l) { d[l] = Op::run(a[l], b[l]); });
}

template <class D, class A, class B, class C, class Op>
void ternary(Warp &w, const Ins &i, u32 m) {
  D *d = w.dst<D>(i.d);
  const A *a = w.src<A>(i.a);
  const B *b = w.src<B>(i.b);
  const C *c = w.src<C>(i.c);
  lanes(m, [=](u32 l) { d[l] = Op::run(a[l], b[l], c[l]); });
}

// Calls f with a value of the integer type that t has in a register; the result of f is a handler, or null.
template <class F>
Handler forInteger(Ty t, F f) {
  switch (t) {
    case Ty::b16:
    case Ty::u16:
      return f(u16{});
    case Ty::s16:
      return f(i16{});
    case Ty::b32:
    case Ty::u32:
      return f(u32{});
    case Ty::s32:
      return f(i32{});
    case Ty::b64:
    case Ty::u64:
      return f(u64{});
    case Ty::s64:
      return f(i64{});
    default:
      return nullptr;
  }
}

// Only by size: 2, 4 or 8 bytes.
template <class F>
Handler forBits(Ty t, F f) {
  switch (sizeOf(t)) {
    case 2:
      return f(u16{});
    case 4:
      return f(u32{});
    case 8:
      return f(u64{});
    default:
      return nullptr;
  }
}

inline void emitBinary(Builder &b, Ty t, Handler fn) {
  b.expectOperands(3, 3);
  if (!fn) b.fail("this type is not supported");
  b.ins.d = b.dst(0, t), b.ins.a = b.src(1, t), b.ins.b = b.src(2, t);
  b.emit(fn);
}

inline void emitUnary(Builder &b, Ty t, Handler fn) {
  b.expectOperands(2, 2);
  if (!fn) b.fail("this type is not supported");
  b.ins.d = b.dst(0, t), b.ins.a = b.src(1, t);
  b.emit(fn);
}

inline void emitTernary(Builder &b, Ty t, Handler fn) {
  b.expectOperands(4, 4);
  if (!fn) b.fail("this type is not supported");
  b.ins.d = b.dst(0, t), b.ins.a = b.src(1, t), b.ins.b = b.src(2, t), b.ins.c = b.src(3, t);
  b.emit(fn);
}

}  // namespace leetemu
