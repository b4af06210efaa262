/**
 * One checked call of the operator on host arrays. Everything that can be wrong with the arguments is found here, before
 * any output is allocated or written, and in the same way for every runtime and device.
 * @module
 */
import { checkAliases, rangeOf, type Region, sameMemory } from "./alias.ts";
import { type ArrayView, checkBuffer, viewOf } from "./array_view.ts";
import {
  type Call,
  checkLayout,
  checkOptions,
  checkOut,
  checkSizes,
  checkState,
  checkStateSize,
  MAX_THREADS,
  type Operand,
  outputShape,
  place,
  readLayout,
  readSettings,
  readWish,
  type StateForm,
  stateForm,
} from "./call.ts";
import { refuse } from "./checks.ts";
import { readCuSeqlens } from "./cu_seqlens.ts";
import { type Decay, readDecay } from "./decay_form.ts";
import { dtypeOf } from "./dtype.ts";
import { show } from "./errors.ts";
import { axesOf } from "./layout.ts";
import type { AttentionOptions, Layout } from "./types.ts";

export { MAX_THREADS, type Operand };

/** A checked call on host arrays. */
export interface Problem extends Call {
  readonly q: Operand;
  readonly k: Operand;
  readonly v: Operand;
  readonly decay: Decay;
  /** Exactly [sequences,H,dk,dv]. */
  readonly initialState: Float32Array | null;
  /** Where the caller wants o; null when it is to be allocated. */
  readonly out: ArrayView | null;
  /** Exactly [sequences,H,dk,dv]; null when it is to be allocated or not wanted. */
  readonly outFinalState: Float32Array | null;
}

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
  checkOptions(options);
  const settings = readSettings({ ...options });
  const { stream } = options as { stream?: unknown };
  if (stream !== undefined) refuse("INVALID_ARGUMENT", "stream", "none with host arrays", show(stream));
  const layout = readLayout(q, options.layout);
  const views = {
    q: operand(q, "q", "H", "dk", layout, outlives),
    k: operand(k, "k", "Hkv", "dk", layout, outlives),
    v: operand(v, "v", "Hkv", "dv", layout, outlives),
  };
  const { dtype } = views.q;
  const sizes = checkSizes(views.q, views.k, views.v, layout);
  const { B, H, N } = sizes;

  const cuSeqlens = readCuSeqlens(options.cuSeqlens, B, N, outlives);
  const S = cuSeqlens ? cuSeqlens.length - 1 : 0;
  const sequences = cuSeqlens ? S : B;
  const decay = readDecay(options, { B, H, N, layout }, outlives);
  const form = stateForm(sizes, sequences, cuSeqlens !== null);
  const initialState = readState(options.initialState, "initialState", form, outlives);
  const outFinalState = readState(options.outFinalState, "outFinalState", form, outlives);
  const wantsFinalState = readWish(options);
  const out = options.out === undefined ? null : operand(options.out, "out", "H", "dv", layout, outlives);
  if (out) checkOut(out, outputShape({ ...sizes, layout }), dtype);

  const inPlace = sameMemory(rangeOf(initialState), rangeOf(outFinalState));
  const cuSource = ArrayBuffer.isView(options.cuSeqlens) ? options.cuSeqlens : null;
  checkAliases(
    [
      region("q", views.q),
      region("k", views.k),
      region("v", views.v),
      { argument: decay.form, range: rangeOf(decay.source) },
      { argument: "cuSeqlens", range: rangeOf(cuSource) },
      { argument: "initialState", range: inPlace ? null : rangeOf(initialState) },
    ],
    [region("out", out), { argument: "outFinalState", range: rangeOf(outFinalState) }],
  );
  return {
    ...settings,
    ...sizes,
    S,
    sequences,
    dtype,
    layout,
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

function operand(
  value: unknown,
  argument: string,
  heads: string,
  dim: string,
  layout: Layout,
  outlives: boolean,
): ArrayView {
  const view = viewOf(value, argument, { axes: axesOf(layout, heads, dim), outlives });
  checkLayout((value as { layout?: unknown }).layout, argument, layout);
  return view;
}

function readState(
  value: unknown,
  argument: string,
  form: StateForm,
  outlives: boolean,
): Float32Array | null {
  if (value === undefined) return null;
  checkStateSize(form, argument);
  if (ArrayBuffer.isView(value)) {
    if (dtypeOf(value) !== "f32") refuse("INVALID_DTYPE", argument, form.text, show(value));
    checkBuffer(value, argument, outlives);
    const state = value as Float32Array;
    if (state.length !== form.elements) {
      refuse("INVALID_LENGTH", argument, `${form.elements} elements`, String(state.length));
    }
    return state;
  }
  const view = viewOf(value, argument, { axes: form.axes, outlives });
  checkState(view, argument, form);
  return (view.data as Float32Array).subarray(view.offset, view.offset + form.elements);
}

function region(argument: string, view: ArrayView | null): Region {
  if (view === null) return { argument, range: null };
  const { data, offset, span } = view;
  return { argument, range: rangeOf((data as Float32Array).subarray(offset, offset + span)) };
}
