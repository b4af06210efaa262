/** A prompt in two pieces equals the prompt in one: outputs and state, every method, wherever the cut falls. */
import { describe, expect, it } from "vitest";
import { METHODS } from "../../ffi/symbols.ts";
import { type AttentionOptions, linearAttention, Tensor } from "../../lib/mod.ts";
import { compare } from "../../lib/verify.ts";
import { type Case, expand, lineOf, parseCase } from "./case.ts";
import { prepare } from "./check.ts";
import type { Placed } from "./inputs.ts";

const CASES = [
  "N=130 H=3 Hkv=1 dk=24 dv=40 dtype={f32,f16,bf16} decay={factor:mixed,gates:mixed} layout={bhnd,bnhd} state=inout",
  "N=300 H=1 dk=64 dtype=f32 decay={none,gates:weak} layout=bhnd-padded state=inout",
].flatMap(expand).map(parseCase);

const CUTS = [0, 1, 31, 32, 33, 64, 97, -1];

/** Tokens from..to-1 of an array, in place. */
function tokens(
  { data, shape, stride, offset, dtype }: Placed,
  axis: number,
  from: number,
  to: number,
): Tensor {
  const sizes = shape.map((size, i) => (i === axis ? to - from : size));
  return new Tensor(data, sizes, { dtype, stride, offset: offset + from * stride[axis] });
}

/** log_gates of tokens from..to-1 [B,H,N] or [B,N,H]; other decays as they are. */
function decayOf(
  options: AttentionOptions,
  c: Case,
  axis: number,
  from: number,
  to: number,
): AttentionOptions {
  if (!options.logGates) return options;
  const shape = axis === 2 ? [c.B, c.H, c.N] : [c.B, c.N, c.H];
  const stride = axis === 2 ? [c.H * c.N, c.N, 1] : [c.N * c.H, c.H, 1];
  const sizes = shape.map((size, i) => (i === axis ? to - from : size));
  const data = options.logGates as Float32Array;
  return { ...options, logGates: new Tensor(data, sizes, { stride, offset: from * stride[axis] }) };
}

describe("split invariance", () => {
  for (const c of CASES) {
    const axis = c.layout.startsWith("bhnd") ? 2 : 1;
    const { inputs: { q, k, v, options }, problem, right } = prepare(c);
    for (const cut of CUTS.map((at) => (at < 0 ? c.N + at : at))) {
      for (const { name: method } of METHODS) {
        it(`${method} cut=${cut} ${lineOf(c)}`, () => {
          const o = new Tensor(new Float32Array(c.B * c.H * c.N * c.dv), [c.B, c.H, c.N, c.dv]);
          let state = options.initialState;
          for (const [from, to] of [[0, cut], [cut, c.N]]) {
            const [a, b, d] = [q, k, v].map((array) => tokens(array, axis, from, to));
            const piece = linearAttention(a, b, d, {
              ...decayOf(options, c, axis, from, to),
              initialState: state,
              outputFinalState: true,
              method,
            });
            state = piece.finalState;
            const values = piece.o.toFloat32();
            for (let h = 0; h < c.H; h++) {
              for (let t = from; t < to; t++) {
                const at = axis === 2 ? (h * (to - from) + t - from) * c.dv : ((t - from) * c.H + h) * c.dv;
                (o.data as Float32Array).set(values.subarray(at, at + c.dv), (h * c.N + t) * c.dv);
              }
            }
          }
          const whole = { ...problem, layout: "bhnd" as const };
          const verdict = compare({ o, finalState: state as Tensor }, whole, right);
          expect(verdict, JSON.stringify(verdict)).toMatchObject({ ok: true });
        });
      }
    }
  }
});
