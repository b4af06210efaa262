/**
 * One checked call of the operator. Everything that can be wrong with the arguments is found here, before any output
 * is allocated or written, and in the same way for every runtime and device.
 * @module
 */
import { checkAliases, type Region, sameMemory, selfOverlaps } from "./alias.ts";
import { type ArrayView, checkBuffer, elementsOf, isDense, viewOf } from "./array_view.ts";
import { booleanOr, checkKeys, checkObject, finiteOr, integerIn, oneOf, refuse } from "./checks.ts";
import { readCuSeqlens } from "./cu_seqlens.ts";
import { type Decay, readDecay } from "./decay_form.ts";
import { type Device, parseDevice } from "./device.ts";
import { dtypeOf } from "./dtype.ts";
import { show } from "./errors.ts";
import { checkMethod } from "./register.ts";
import type { AttentionOptions, DType, Layout, TensorData } from "./types.ts";

/** One of q, k, v, o: its elements and where they lie. */
export interface Operand {
  readonly data: TensorData;
  /** Index of the first element in `data`. */
  readonly offset: number;
  /** Elements from the first to one past the last. */
  readonly span: number;
  /** Elements between neighbours along batch, head and time; the last axis is contiguous. */
  readonly stride: readonly [number, number, number];
}

/** A checked call; sizes as in the shapes of {@linkcode AttentionOptions}. */
export interface Problem {
  readonly B: number;
  readonly H: number;
  readonly Hkv: number;
  readonly N: number;
  readonly dk: number;
  readonly dv: number;
  /** Sequences in cuSeqlens; 0 when the batch is not ragged. */
  readonly S: number;
  /** First axis of the states: S when ragged, otherwise B. */
  readonly sequences: number;
  readonly dtype: DType;
  readonly layout: Layout;
  readonly scale: number;
  readonly threads: number;
  readonly method: string;
  readonly device: Device;
  readonly q: Operand;
  readonly k: Operand;
  readonly v: Operand;
  readonly decay: Decay;
  readonly cuSeqlens: BigInt64Array | null;
  /** Exactly [sequences,H,dk,dv]. */
  readonly initialState: Float32Array | null;
  /** Where the caller wants o; null when it is to be allocated. */
  readonly out: ArrayView | null;
  /** Exactly [sequences,H,dk,dv]; null when it is to be allocated or not wanted. */
  readonly outFinalState: Float32Array | null;
  readonly wantsFinalState: boolean;
}

const OPTIONS: readonly string[] = [
  "method",
  "device",
  "layout",
  "scale",
  "decay",
  "logDecay",
  "logGates",
  "initialState",
  "outputFinalState",
  "cuSeqlens",
  "out",
  "outFinalState",
  "threads",
];

/** Most threads that a call may ask for, as in the native library. */
export const MAX_THREADS = 1024;

/**
 * Checks the arguments of a call.
 *
 * @param outlives whether the arrays are used after the call returns
 * @throws LeetError whose `argument` is the name of what is wrong
 */
export function makeProblem(
  q: unknown,
  k: unknown,
  v: unknown,
  options: AttentionOptions = {},
  outlives = false,
): Problem {
  checkObject(options, "options", "an object");
  checkKeys(options, "an option", OPTIONS);
  const method = checkMethod(options.method);
  const device = parseDevice(options.device);
  const scale = finiteOr(options.scale, "scale", "INVALID_SCALE", 1);
  if (!Number.isFinite(Math.fround(scale))) {
    refuse("INVALID_SCALE", "scale", "a number that float32 can hold", show(scale));
  }
  const threads = integerIn(options.threads, "threads", "INVALID_THREADS", 0, MAX_THREADS, 0);
  const layout = readLayout(q, options.layout);
  const views = {
    q: operand(q, "q", "H", "dk", layout, outlives),
    k: operand(k, "k", "Hkv", "dk", layout, outlives),
    v: operand(v, "v", "Hkv", "dv", layout, outlives),
  };
  const sizes = checkSizes(views.q, views.k, views.v, layout);
  const { B, H, N, dk, dv } = sizes;

  const cuSeqlens = readCuSeqlens(options.cuSeqlens, B, N, outlives);
  const S = cuSeqlens ? cuSeqlens.length - 1 : 0;
  const sequences = cuSeqlens ? S : B;
  const decay = readDecay(options, { B, H, N, layout }, outlives);
  const stateShape = [sequences, H, dk, dv];
  const stateFirst = cuSeqlens ? "S" : "B";
  const initialState = readState(options.initialState, "initialState", stateShape, stateFirst, outlives);
  const outFinalState = readState(options.outFinalState, "outFinalState", stateShape, stateFirst, outlives);
  const wantsFinalState = booleanOr(options.outputFinalState, "outputFinalState", false) ||
    outFinalState !== null;
  const out = readOut(options.out, layout, sizes, views.q.dtype, outlives);

  const inPlace = initialState && outFinalState && sameMemory(initialState, outFinalState);
  const cuSource = ArrayBuffer.isView(options.cuSeqlens) ? options.cuSeqlens : null;
  checkAliases(
    [
      region("q", views.q),
      region("k", views.k),
      region("v", views.v),
      { argument: decay.form, data: decay.source },
      { argument: "cuSeqlens", data: cuSource },
      { argument: "initialState", data: inPlace ? null : initialState },
    ],
    [region("out", out), { argument: "outFinalState", data: outFinalState }],
  );
  return {
    ...sizes,
    S,
    sequences,
    dtype: views.q.dtype,
    layout,
    scale,
    threads,
    method,
    device,
    q: place(views.q, layout, "q"),
    k: place(views.k, layout, "k"),
    v: place(views.v, layout, "v"),
    decay,
    cuSeqlens,
    initialState,
    out,
    outFinalState,
    wantsFinalState,
  };
}

function readLayout(q: unknown, given: unknown): Layout {
  const own = typeof q === "object" && q !== null ? (q as { layout?: unknown }).layout : undefined;
  const fallback = oneOf<Layout>(own, "q", "INVALID_LAYOUT", ["bhnd", "bnhd"], "bhnd");
  return oneOf<Layout>(given, "layout", "INVALID_LAYOUT", ["bhnd", "bnhd"], fallback);
}

/** Axis names in memory order. */
function axesOf(layout: Layout, heads: string, dim: string): string[] {
  return layout === "bhnd" ? ["B", heads, "N", dim] : ["B", "N", heads, dim];
}

function operand(
  value: unknown,
  argument: string,
  heads: string,
  dim: string,
  layout: Layout,
  outlives: boolean,
): ArrayView {
  const view = viewOf(value, argument, { axes: axesOf(layout, heads, dim), outlives });
  const own = (value as { layout?: unknown }).layout;
  if (own !== undefined && own !== layout) {
    refuse("INVALID_LAYOUT", argument, `layout ${layout} as the call has`, show(own));
  }
  return view;
}

type Sizes = Pick<Problem, "B" | "H" | "Hkv" | "N" | "dk" | "dv">;

function checkSizes(q: ArrayView, k: ArrayView, v: ArrayView, layout: Layout): Sizes {
  const [heads, time] = layout === "bhnd" ? [1, 2] : [2, 1];
  const sizes: Sizes = {
    B: q.shape[0],
    H: q.shape[heads],
    Hkv: k.shape[heads],
    N: q.shape[time],
    dk: q.shape[3],
    dv: v.shape[3],
  };
  const agree: [string, number, string, number][] = [
    ["k", k.shape[0], "B of q", sizes.B],
    ["k", k.shape[time], "N of q", sizes.N],
    ["k", k.shape[3], "dk of q", sizes.dk],
    ["v", v.shape[0], "B of q", sizes.B],
    ["v", v.shape[heads], "Hkv of k", sizes.Hkv],
    ["v", v.shape[time], "N of q", sizes.N],
  ];
  for (const [argument, got, what, expected] of agree) {
    if (got !== expected) refuse("INVALID_SHAPE", argument, `the ${what}, ${expected}`, String(got));
  }
  const positive: [string, string, number][] = [
    ["q", "H", sizes.H],
    ["k", "Hkv", sizes.Hkv],
    ["q", "dk", sizes.dk],
    ["v", "dv", sizes.dv],
  ];
  for (const [argument, name, size] of positive) {
    if (size < 1) refuse("INVALID_SHAPE", argument, `${name} >= 1`, String(size));
  }
  if (sizes.H % sizes.Hkv !== 0) {
    refuse("INVALID_SHAPE", "k", `Hkv that divides H = ${sizes.H}`, String(sizes.Hkv));
  }
  for (const [argument, view] of [["k", k], ["v", v]] as const) {
    if (view.dtype !== q.dtype) {
      refuse("INVALID_DTYPE", argument, `dtype ${q.dtype} as q has`, view.dtype);
    }
  }
  return sizes;
}

function place(view: ArrayView, layout: Layout, argument: string): Operand {
  const [b, x, y] = view.stride;
  if (b === 0 && x === 0 && y === 0 && !isDense(view.shape, view.stride)) {
    refuse("INVALID_STRIDE", argument, "a stride above 0 along batch, head or time", show(view.stride));
  }
  const stride: [number, number, number] = layout === "bhnd" ? [b, x, y] : [b, y, x];
  return { data: view.data, offset: view.offset, span: view.span, stride };
}

function readState(
  value: unknown,
  argument: string,
  shape: number[],
  first: string,
  outlives: boolean,
): Float32Array | null {
  if (value === undefined) return null;
  const elements = elementsOf(shape);
  const form = (): string => `float32 [${first},H,dk,dv] = [${shape.join(",")}]`;
  if (!Number.isSafeInteger(elements)) {
    refuse("SIZE_OVERFLOW", argument, "fewer than 2^53 elements", show(shape));
  }
  if (ArrayBuffer.isView(value)) {
    if (dtypeOf(value) !== "f32") refuse("INVALID_DTYPE", argument, form(), show(value));
    checkBuffer(value, argument, outlives);
    const state = value as Float32Array;
    if (state.length !== elements) {
      refuse("INVALID_LENGTH", argument, `${elements} elements`, String(state.length));
    }
    return state;
  }
  const view = viewOf(value, argument, { axes: [first, "H", "dk", "dv"], outlives });
  if (view.dtype !== "f32") refuse("INVALID_DTYPE", argument, form(), view.dtype);
  if (shape.some((size, axis) => size !== view.shape[axis])) {
    refuse("INVALID_SHAPE", argument, form(), show(view.shape));
  }
  if (!isDense(view.shape, view.stride)) {
    refuse("INVALID_STRIDE", argument, "a dense state", `stride ${show(view.stride)}`);
  }
  return (view.data as Float32Array).subarray(view.offset, view.offset + elements);
}

function readOut(
  value: unknown,
  layout: Layout,
  { B, H, N, dv }: Sizes,
  dtype: DType,
  outlives: boolean,
): ArrayView | null {
  if (value === undefined) return null;
  const view = operand(value, "out", "H", "dv", layout, outlives);
  const shape = layout === "bhnd" ? [B, H, N, dv] : [B, N, H, dv];
  if (shape.some((size, axis) => size !== view.shape[axis])) {
    refuse("INVALID_SHAPE", "out", show(shape), show(view.shape));
  }
  if (view.dtype !== dtype) refuse("INVALID_DTYPE", "out", `dtype ${dtype} as q has`, view.dtype);
  if (selfOverlaps(view.shape, view.stride)) {
    refuse("INVALID_STRIDE", "out", "strides that keep elements apart", show(view.stride));
  }
  return view;
}

function region(argument: string, view: ArrayView | null): Region {
  if (view === null) return { argument, data: null };
  const { data, offset, span } = view;
  return { argument, data: (data as Float32Array).subarray(offset, offset + span) };
}
