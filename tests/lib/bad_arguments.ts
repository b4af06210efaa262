/** Every kind of wrong argument, one entry each. */
import { noise } from "./problems.ts";

/** A call that is right but for what a case changes: B=1 H=4 Hkv=2 N=6 dk=3 dv=5. */
export interface Call {
  // deno-lint-ignore no-explicit-any
  q: any;
  // deno-lint-ignore no-explicit-any
  k: any;
  // deno-lint-ignore no-explicit-any
  v: any;
  // deno-lint-ignore no-explicit-any
  options: any;
}

/** What the outputs hold before a call. */
export const POISON = -12345;

/** A call without a fault. */
export function goodCall(): Call {
  return {
    q: { data: noise(72, 1), shape: [1, 4, 6, 3] },
    k: { data: noise(36, 2), shape: [1, 2, 6, 3] },
    v: { data: noise(60, 3), shape: [1, 2, 6, 5] },
    options: {
      out: { data: new Float32Array(120).fill(POISON), shape: [1, 4, 6, 5] },
      outFinalState: new Float32Array(60).fill(POISON),
    },
  };
}

const detached = (length: number): Float32Array => {
  const data = new Float32Array(length);
  structuredClone(data.buffer, { transfer: [data.buffer] });
  return data;
};

/** q and o in one buffer, `gap` elements apart from touching. */
export const overlapping = (call: Call, gap: number): void => {
  const buffer = new Float32Array(72 + 120);
  call.q.data = buffer.subarray(0, 72);
  call.options.out = { data: buffer, shape: [1, 4, 6, 5], offset: 72 + gap };
  buffer.fill(POISON);
};

const with_ = (name: "q" | "k" | "v", fields: Record<string, unknown>) => (call: Call): void => {
  Object.assign(call[name], fields);
};
const option = (options: Record<string, unknown>) => (call: Call): void => {
  Object.assign(call.options, options);
};
const gates = (length: number, at: number, value: number): Float32Array => {
  const values = new Float32Array(length).fill(-1);
  values[at] = value;
  return values;
};

/** What is wrong, the code and the argument that the error has to have, and the change that makes it so. */
export const CASES: [what: string, code: string, argument: string, change: (call: Call) => void][] = [
  // q, k, v as values
  ["q missing", "INVALID_ARGUMENT", "q", (c) => c.q = undefined],
  ["q null", "INVALID_ARGUMENT", "q", (c) => c.q = null],
  ["q a number", "INVALID_ARGUMENT", "q", (c) => c.q = 3],
  ["q a plain array", "INVALID_ARGUMENT", "q", (c) => c.q = [1, 2]],
  ["q a bare typed array", "INVALID_ARGUMENT", "q", (c) => c.q = c.q.data],
  ["k without data", "INVALID_ARGUMENT", "k", (c) => delete c.k.data],
  ["v without a shape", "INVALID_ARGUMENT", "v", (c) => delete c.v.shape],
  ["v a string", "INVALID_ARGUMENT", "v", (c) => c.v = "v"],
  // element types
  ["q of float64", "INVALID_DTYPE", "q", with_("q", { data: new Float64Array(72) })],
  ["q of plain numbers", "INVALID_DTYPE", "q", with_("q", { data: new Array(72).fill(0) })],
  ["q of bytes", "INVALID_DTYPE", "q", with_("q", { data: new Uint8Array(72) })],
  ["q of another dtype than its array", "INVALID_DTYPE", "q", with_("q", { dtype: "bf16" })],
  ["q of an unknown dtype", "INVALID_DTYPE", "q", with_("q", { dtype: "f64" })],
  ["q of a dtype from Object", "INVALID_DTYPE", "q", with_("q", { dtype: "constructor" })],
  ["q of a dtype that is a number", "INVALID_ARGUMENT", "q", with_("q", { dtype: 1 })],
  ["k of another dtype than q", "INVALID_DTYPE", "k", with_("k", { data: new Uint16Array(36) })],
  [
    "v of another dtype than q",
    "INVALID_DTYPE",
    "v",
    with_("v", { data: new Uint16Array(60), dtype: "f16" }),
  ],
  // buffers
  ["q detached", "INVALID_BUFFER", "q", with_("q", { data: detached(72) })],
  ["gates detached", "INVALID_BUFFER", "logGates", option({ logGates: detached(24) })],
  ["initial state detached", "INVALID_BUFFER", "initialState", option({ initialState: detached(60) })],
  ["out detached", "INVALID_BUFFER", "out", option({ out: { data: detached(120), shape: [1, 4, 6, 5] } })],
  // shapes
  ["q of three axes", "INVALID_SHAPE", "q", with_("q", { shape: [4, 6, 3] })],
  ["q of five axes", "INVALID_SHAPE", "q", with_("q", { shape: [1, 1, 4, 6, 3] })],
  ["a negative size", "INVALID_SHAPE", "q", with_("q", { shape: [1, -4, 6, -3] })],
  ["a fractional size", "INVALID_SHAPE", "q", with_("q", { shape: [1, 4, 6, 3.5] })],
  ["a size that is NaN", "INVALID_SHAPE", "q", with_("q", { shape: [1, 4, NaN, 3] })],
  ["a size that is a string", "INVALID_SHAPE", "q", with_("q", { shape: [1, "4", 6, 3] })],
  ["a shape that is a string", "INVALID_ARGUMENT", "q", with_("q", { shape: "1463" })],
  ["a size of 2^53", "INVALID_SHAPE", "q", with_("q", { shape: [1, 2 ** 53, 6, 3] })],
  ["a shape of 2^80 elements", "SIZE_OVERFLOW", "q", with_("q", { shape: [2 ** 40, 2 ** 40, 1, 1] })],
  ["H = 0", "INVALID_SHAPE", "q", (c) => c.q = { data: new Float32Array(0), shape: [1, 0, 6, 3] }],
  ["Hkv = 0", "INVALID_SHAPE", "k", (c) => {
    c.k = { data: new Float32Array(0), shape: [1, 0, 6, 3] };
    c.v = { data: new Float32Array(0), shape: [1, 0, 6, 5] };
  }],
  ["dk = 0", "INVALID_SHAPE", "q", (c) => {
    c.q = { data: new Float32Array(0), shape: [1, 4, 6, 0] };
    c.k = { data: new Float32Array(0), shape: [1, 2, 6, 0] };
  }],
  ["dv = 0", "INVALID_SHAPE", "v", (c) => c.v = { data: new Float32Array(0), shape: [1, 2, 6, 0] }],
  ["Hkv that does not divide H", "INVALID_SHAPE", "k", (c) => {
    c.k = { data: noise(54, 2), shape: [1, 3, 6, 3] };
    c.v = { data: noise(90, 3), shape: [1, 3, 6, 5] };
  }],
  ["k of another batch", "INVALID_SHAPE", "k", with_("k", { data: noise(72, 2), shape: [2, 2, 6, 3] })],
  ["k of another N", "INVALID_SHAPE", "k", with_("k", { data: noise(30, 2), shape: [1, 2, 5, 3] })],
  ["k of another dk", "INVALID_SHAPE", "k", with_("k", { data: noise(48, 2), shape: [1, 2, 6, 4] })],
  ["v of another batch", "INVALID_SHAPE", "v", with_("v", { data: noise(120, 2), shape: [2, 2, 6, 5] })],
  ["v of another Hkv", "INVALID_SHAPE", "v", with_("v", { data: noise(120, 2), shape: [1, 4, 6, 5] })],
  ["v of another N", "INVALID_SHAPE", "v", with_("v", { data: noise(50, 2), shape: [1, 2, 5, 5] })],
  // lengths, strides, offsets
  ["q too short", "INVALID_LENGTH", "q", with_("q", { data: noise(71, 1) })],
  ["q longer than its dense shape", "INVALID_LENGTH", "q", with_("q", { data: noise(73, 1) })],
  ["q too short for its offset", "INVALID_LENGTH", "q", with_("q", { offset: 1 })],
  ["q too short for its stride", "INVALID_LENGTH", "q", with_("q", { stride: [73, 18, 4, 1] })],
  ["a negative offset", "INVALID_LENGTH", "q", with_("q", { offset: -1 })],
  ["a fractional offset", "INVALID_LENGTH", "q", with_("q", { offset: 0.5 })],
  ["an offset that is a string", "INVALID_ARGUMENT", "q", with_("q", { offset: "0" })],
  ["a stride that is a number", "INVALID_ARGUMENT", "q", with_("q", { stride: 1 })],
  ["a stride of three", "INVALID_STRIDE", "q", with_("q", { stride: [18, 3, 1] })],
  ["a negative stride", "INVALID_STRIDE", "q", with_("q", { stride: [72, 18, -3, 1], offset: 15 })],
  ["a fractional stride", "INVALID_STRIDE", "q", with_("q", { stride: [72, 18, 2.5, 1] })],
  ["a last axis that is not contiguous", "INVALID_STRIDE", "q", with_("q", { stride: [72, 18, 1, 6] })],
  ["no stride above zero", "INVALID_STRIDE", "q", with_("q", { stride: [0, 0, 0, 1] })],
  ["a stride beyond 2^53", "SIZE_OVERFLOW", "q", with_("q", { stride: [0, 2 ** 52, 3, 1] })],
  // plain options
  ["options null", "INVALID_ARGUMENT", "options", (c) => c.options = null],
  ["options an array", "INVALID_ARGUMENT", "options", (c) => c.options = []],
  ["a misspelt option", "INVALID_ARGUMENT", "logdecay", option({ logdecay: [0, 0, 0, 0] })],
  ["method unknown", "INVALID_METHOD", "method", option({ method: "flash3" })],
  ["method a number", "INVALID_ARGUMENT", "method", option({ method: 7 })],
  ["device unknown", "INVALID_DEVICE", "device", option({ device: "gpu" })],
  ["device with a wrong index", "INVALID_DEVICE", "device", option({ device: "cuda:-1" })],
  ["device null", "INVALID_ARGUMENT", "device", option({ device: null })],
  ["layout unknown", "INVALID_LAYOUT", "layout", option({ layout: "bhdn" })],
  ["layout a boolean", "INVALID_ARGUMENT", "layout", option({ layout: true })],
  ["layout of k differs", "INVALID_LAYOUT", "k", with_("k", { layout: "bnhd" })],
  ["scale NaN", "INVALID_SCALE", "scale", option({ scale: NaN })],
  ["scale infinite", "INVALID_SCALE", "scale", option({ scale: Infinity })],
  ["scale beyond float32", "INVALID_SCALE", "scale", option({ scale: -1e39 })],
  ["scale a string", "INVALID_ARGUMENT", "scale", option({ scale: "1" })],
  ["threads negative", "INVALID_THREADS", "threads", option({ threads: -1 })],
  ["threads fractional", "INVALID_THREADS", "threads", option({ threads: 1.5 })],
  ["threads absurd", "INVALID_THREADS", "threads", option({ threads: 2 ** 31 })],
  ["threads a string", "INVALID_ARGUMENT", "threads", option({ threads: "2" })],
  ["outputFinalState a number", "INVALID_ARGUMENT", "outputFinalState", option({ outputFinalState: 1 })],
  // decay
  ["decay above 1", "INVALID_DECAY", "decay", option({ decay: [0.5, 0.5, 1.0001, 0.5] })],
  ["decay negative", "INVALID_DECAY", "decay", option({ decay: [0.5, 0.5, -0.1, 0.5] })],
  ["decay NaN", "INVALID_DECAY", "decay", option({ decay: Float32Array.of(1, 1, NaN, 1) })],
  ["decay infinite", "INVALID_DECAY", "decay", option({ decay: [1, 1, Infinity, 1] })],
  ["decay for too few heads", "INVALID_LENGTH", "decay", option({ decay: [1, 1] })],
  ["decay for too many heads", "INVALID_LENGTH", "decay", option({ decay: new Float32Array(5) })],
  ["decay a number", "INVALID_ARGUMENT", "decay", option({ decay: 0.9 })],
  ["decay null", "INVALID_ARGUMENT", "decay", option({ decay: null })],
  ["decay of strings", "INVALID_ARGUMENT", "decay", option({ decay: ["1", "1", "1", "1"] })],
  ["decay of bit patterns", "INVALID_DTYPE", "decay", option({ decay: new Uint16Array(4) })],
  [
    "decay of another shape",
    "INVALID_SHAPE",
    "decay",
    option({ decay: { data: new Float32Array(4), shape: [2, 2] } }),
  ],
  ["logDecay above 0", "INVALID_DECAY", "logDecay", option({ logDecay: [0, 0, 1e-9, 0] })],
  ["logDecay NaN", "INVALID_DECAY", "logDecay", option({ logDecay: [0, 0, NaN, 0] })],
  ["logDecay for too few heads", "INVALID_LENGTH", "logDecay", option({ logDecay: [0] })],
  ["logGates above 0", "INVALID_DECAY", "logGates", option({ logGates: gates(24, 23, 0.5) })],
  ["logGates NaN", "INVALID_DECAY", "logGates", option({ logGates: gates(24, 11, NaN) })],
  ["logGates too short", "INVALID_LENGTH", "logGates", option({ logGates: gates(23, 0, -1) })],
  [
    "logGates of another shape",
    "INVALID_SHAPE",
    "logGates",
    option({
      logGates: { data: gates(24, 0, -1), shape: [1, 6, 4] },
    }),
  ],
  [
    "logGates of another layout",
    "INVALID_LAYOUT",
    "logGates",
    option({
      logGates: { data: gates(24, 0, -1), shape: [1, 6, 4], layout: "bnhd" },
    }),
  ],
  [
    "two forms of decay",
    "INVALID_DECAY",
    "logDecay",
    option({ decay: [1, 1, 1, 1], logDecay: [0, 0, 0, 0] }),
  ],
  // states
  [
    "initialState too short",
    "INVALID_LENGTH",
    "initialState",
    option({ initialState: new Float32Array(59) }),
  ],
  ["initialState of bf16", "INVALID_DTYPE", "initialState", option({ initialState: new Uint16Array(60) })],
  [
    "initialState of float64",
    "INVALID_DTYPE",
    "initialState",
    option({ initialState: new Float64Array(60) }),
  ],
  [
    "initialState an array",
    "INVALID_ARGUMENT",
    "initialState",
    option({ initialState: new Array(60).fill(0) }),
  ],
  [
    "initialState of another shape",
    "INVALID_SHAPE",
    "initialState",
    option({
      initialState: { data: new Float32Array(60), shape: [1, 4, 5, 3] },
    }),
  ],
  [
    "initialState not dense",
    "INVALID_STRIDE",
    "initialState",
    option({
      initialState: { data: new Float32Array(80), shape: [1, 4, 3, 5], stride: [80, 20, 6, 1] },
    }),
  ],
  [
    "outFinalState too long",
    "INVALID_LENGTH",
    "outFinalState",
    option({ outFinalState: new Float32Array(61) }),
  ],
  // ragged batches
  ["cuSeqlens not from 0", "INVALID_CU_SEQLENS", "cuSeqlens", option({ cuSeqlens: [1, 6] })],
  ["cuSeqlens not to N", "INVALID_CU_SEQLENS", "cuSeqlens", option({ cuSeqlens: [0, 5] })],
  ["cuSeqlens beyond N", "INVALID_CU_SEQLENS", "cuSeqlens", option({ cuSeqlens: [0, 7] })],
  ["cuSeqlens falling", "INVALID_CU_SEQLENS", "cuSeqlens", option({ cuSeqlens: [0, 4, 3, 6] })],
  ["cuSeqlens fractional", "INVALID_CU_SEQLENS", "cuSeqlens", option({ cuSeqlens: [0, 2.5, 6] })],
  ["cuSeqlens NaN", "INVALID_CU_SEQLENS", "cuSeqlens", option({ cuSeqlens: [0, NaN, 6] })],
  ["cuSeqlens of one offset", "INVALID_CU_SEQLENS", "cuSeqlens", option({ cuSeqlens: [0] })],
  [
    "cuSeqlens a bigint beyond 2^63",
    "INVALID_CU_SEQLENS",
    "cuSeqlens",
    option({ cuSeqlens: [0n, 2n ** 64n, 6n] }),
  ],
  ["cuSeqlens of strings", "INVALID_ARGUMENT", "cuSeqlens", option({ cuSeqlens: ["0", "6"] })],
  ["cuSeqlens a number", "INVALID_ARGUMENT", "cuSeqlens", option({ cuSeqlens: 6 })],
  ["cuSeqlens of floats", "INVALID_DTYPE", "cuSeqlens", option({ cuSeqlens: Float32Array.of(0, 6) })],
  ["cuSeqlens with B = 2", "INVALID_CU_SEQLENS", "cuSeqlens", (c) => {
    c.q = { data: noise(72, 1), shape: [2, 2, 6, 3] };
    c.k = { data: noise(72, 1), shape: [2, 2, 6, 3] };
    c.v = { data: noise(120, 1), shape: [2, 2, 6, 5] };
    c.options.cuSeqlens = [0, 6];
  }],
  // outputs
  [
    "out of another shape",
    "INVALID_SHAPE",
    "out",
    option({ out: { data: new Float32Array(120), shape: [1, 6, 4, 5] } }),
  ],
  [
    "out of another dtype",
    "INVALID_DTYPE",
    "out",
    option({ out: { data: new Uint16Array(120), shape: [1, 4, 6, 5] } }),
  ],
  ["out bare", "INVALID_ARGUMENT", "out", option({ out: new Float32Array(120) })],
  [
    "out too short",
    "INVALID_LENGTH",
    "out",
    option({ out: { data: new Float32Array(119), shape: [1, 4, 6, 5] } }),
  ],
  [
    "out with rows that overlap",
    "INVALID_STRIDE",
    "out",
    option({
      out: { data: new Float32Array(120), shape: [1, 4, 6, 5], stride: [120, 30, 4, 1] },
    }),
  ],
  [
    "out with heads in one place",
    "INVALID_STRIDE",
    "out",
    option({
      out: { data: new Float32Array(120), shape: [1, 4, 6, 5], stride: [120, 0, 5, 1] },
    }),
  ],
  ["out over the end of q", "INVALID_ALIAS", "out", (c) => overlapping(c, -1)],
  ["out in v", "INVALID_ALIAS", "out", (c) => {
    const data = new Float32Array(120).fill(POISON);
    c.v.data = data.subarray(0, 60);
    c.options.out.data = data;
  }],
  ["out over the gates", "INVALID_ALIAS", "out", (c) => {
    const data = new Float32Array(120).fill(-1);
    c.options.logGates = data.subarray(0, 24);
    c.options.out.data = data;
  }],
  ["out over the decay", "INVALID_ALIAS", "out", (c) => {
    const data = new Float32Array(120).fill(1);
    c.options.decay = data.subarray(100, 104);
    c.options.out.data = data;
  }],
  ["out over the initial state", "INVALID_ALIAS", "out", (c) => {
    const data = new Float32Array(120).fill(POISON);
    c.options.initialState = data.subarray(60);
    c.options.out.data = data;
  }],
  ["out over cuSeqlens", "INVALID_ALIAS", "out", (c) => {
    const data = new Float32Array(120);
    c.options.cuSeqlens = new BigInt64Array(data.buffer, 0, 2);
    c.options.cuSeqlens[1] = 6n;
    c.options.out.data = data;
  }],
  ["the final state over out", "INVALID_ALIAS", "outFinalState", (c) => {
    c.options.outFinalState = c.options.out.data.subarray(60);
  }],
  ["the final state over k", "INVALID_ALIAS", "outFinalState", (c) => {
    c.k.data = c.options.outFinalState.subarray(0, 36);
  }],
  ["the final state over a part of the initial one", "INVALID_ALIAS", "outFinalState", (c) => {
    const data = new Float32Array(100).fill(POISON);
    c.options.initialState = data.subarray(0, 60);
    c.options.outFinalState = data.subarray(40);
  }],
];
