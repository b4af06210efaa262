/** What a call is beside its arrays, and the checks that arrays of the host and of a device share. @module */
import { selfOverlaps } from "./alias.ts";
import { type ArrayView, elementsOf, isDense } from "./array_view.ts";
import { booleanOr, checkKeys, checkObject, finiteOr, integerIn, refuse } from "./checks.ts";
import { type Device, parseDevice } from "./device.ts";
import { show } from "./errors.ts";
import { layoutOrNone } from "./layout.ts";
import { checkMethod } from "./register.ts";
import type { DType, Layout, TensorData } from "./types.ts";

/** One of q, k, v, o: its elements and where they lie. */
export interface Operand<D = TensorData> {
  readonly data: D;
  /** Index of the first element in `data`. */
  readonly offset: number;
  /** Elements from the first to one past the last. */
  readonly span: number;
  /** Elements between neighbours along batch, head and time; the last axis is contiguous. */
  readonly stride: readonly [number, number, number];
}

/** How the operator is to be computed. */
export interface Settings {
  readonly scale: number;
  readonly threads: number;
  readonly method: string;
  readonly device: Device;
}

/** Sizes that q, k and v agree on, as in the shapes of {@linkcode AttentionOptions}. */
export interface Sizes {
  readonly B: number;
  readonly H: number;
  readonly Hkv: number;
  readonly N: number;
  readonly dk: number;
  readonly dv: number;
}

/** A checked call but for its arrays. */
export interface Call extends Settings, Sizes {
  /** Sequences in cuSeqlens; 0 when the batch is not ragged. */
  readonly S: number;
  /** First axis of the states: S when ragged, otherwise B. */
  readonly sequences: number;
  readonly dtype: DType;
  readonly layout: Layout;
  readonly cuSeqlens: BigInt64Array | null;
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
  "stream",
];

/** Most threads that a call may ask for, as in the native library. */
export const MAX_THREADS = 1024;

/** Refuses options that no call has. */
export function checkOptions(options: unknown): void {
  checkObject(options, "options", "an object");
  checkKeys(options, "an option", OPTIONS);
}

/** Reads the options that are not about arrays. */
export function readSettings(options: { [option: string]: unknown }): Settings {
  const method = checkMethod(options.method);
  const device = parseDevice(options.device);
  const scale = finiteOr(options.scale, "scale", "INVALID_SCALE", 1);
  if (!Number.isFinite(Math.fround(scale))) {
    refuse("INVALID_SCALE", "scale", "a number that float32 can hold", show(scale));
  }
  const threads = integerIn(options.threads, "threads", "INVALID_THREADS", 0, MAX_THREADS, 0);
  return { method, device, scale, threads };
}

/** Whether the final state is to be returned. */
export function readWish(options: { outputFinalState?: unknown; outFinalState?: unknown }): boolean {
  const wish = booleanOr(options.outputFinalState, "outputFinalState", false);
  return wish || options.outFinalState !== undefined;
}

/** The layout of a call: the option, else that of q, else bhnd. */
export function readLayout(q: unknown, given: unknown): Layout {
  const own = typeof q === "object" && q !== null ? (q as { layout?: unknown }).layout : undefined;
  const fallback = layoutOrNone(own, "q");
  return layoutOrNone(given) ?? fallback ?? "bhnd";
}

/** Refuses an array that says it has another layout than the call. */
export function checkLayout(own: unknown, argument: string, layout: Layout): void {
  if (own !== undefined && own !== layout) {
    refuse("INVALID_LAYOUT", argument, `layout ${layout} as the call has`, show(own));
  }
}

type Shaped = Pick<ArrayView<unknown>, "shape" | "dtype">;

/** The sizes of a call, where q, k and v agree on them and on their dtype. */
export function checkSizes(q: Shaped, k: Shaped, v: Shaped, layout: Layout): Sizes {
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

/** A view as an operand. */
export function place<D>(view: ArrayView<D>, layout: Layout, argument: string): Operand<D> {
  const [b, x, y] = view.stride;
  if (b === 0 && x === 0 && y === 0 && !isDense(view.shape, view.stride)) {
    refuse("INVALID_STRIDE", argument, "a stride above 0 along batch, head or time", show(view.stride));
  }
  const stride: [number, number, number] = layout === "bhnd" ? [b, x, y] : [b, y, x];
  return { data: view.data, offset: view.offset, span: view.span, stride };
}

/** Where a state must lie: what its errors say, and how many elements it has. */
export interface StateForm {
  /** [sequences,H,dk,dv] */
  readonly shape: readonly number[];
  /** Names of the axes. */
  readonly axes: readonly string[];
  readonly elements: number;
  /** `float32 [B,H,dk,dv] = [...]` */
  readonly text: string;
}

/** The form of the states of a call. */
export function stateForm({ H, dk, dv }: Sizes, sequences: number, ragged: boolean): StateForm {
  const shape = [sequences, H, dk, dv];
  const axes = [ragged ? "S" : "B", "H", "dk", "dv"];
  return {
    shape,
    axes,
    elements: elementsOf(shape),
    text: `float32 [${axes.join(",")}] = [${shape.join(",")}]`,
  };
}

/** Refuses a form of more elements than a number can count. */
export function checkStateSize({ elements, shape }: StateForm, argument: string): void {
  if (!Number.isSafeInteger(elements)) {
    refuse("SIZE_OVERFLOW", argument, "fewer than 2^53 elements", show(shape));
  }
}

/** Refuses a tensor that is not a state of the form. */
export function checkState(
  view: Pick<ArrayView<unknown>, "dtype" | "shape" | "stride">,
  argument: string,
  form: StateForm,
): void {
  if (view.dtype !== "f32") refuse("INVALID_DTYPE", argument, form.text, view.dtype);
  if (form.shape.some((size, axis) => size !== view.shape[axis])) {
    refuse("INVALID_SHAPE", argument, form.text, show(view.shape));
  }
  if (!isDense(view.shape, view.stride)) {
    refuse("INVALID_STRIDE", argument, "a dense state", `stride ${show(view.stride)}`);
  }
}

/** Refuses a tensor that cannot be the output of a call. */
export function checkOut(
  view: Pick<ArrayView<unknown>, "dtype" | "shape" | "stride">,
  shape: readonly number[],
  dtype: DType,
): void {
  if (shape.some((size, axis) => size !== view.shape[axis])) {
    refuse("INVALID_SHAPE", "out", show(shape), show(view.shape));
  }
  if (view.dtype !== dtype) refuse("INVALID_DTYPE", "out", `dtype ${dtype} as q has`, view.dtype);
  if (selfOverlaps(view.shape, view.stride)) {
    refuse("INVALID_STRIDE", "out", "strides that keep elements apart", show(view.stride));
  }
}

/** The shape of o in the layout of the call. */
export function outputShape({ layout, B, H, N, dv }: Sizes & { readonly layout: Layout }): number[] {
  return layout === "bhnd" ? [B, H, N, dv] : [B, N, H, dv];
}
