/** The three ways to give a_t, read and checked. @module */
import { checkBuffer, denseStride, elementsOf, isDense, viewOf } from "./array_view.ts";
import { refuse } from "./checks.ts";
import { isFloat32Array } from "./dtype.ts";
import { show } from "./errors.ts";
import { Tensor } from "./tensor.ts";
import type { AttentionOptions, TensorLike } from "./types.ts";

/** How a_t is given; the names are the options. */
export type DecayForm = "none" | "decay" | "logDecay" | "logGates";

/** The forms that an option gives. */
export const DECAY_FORMS = ["decay", "logDecay", "logGates"] as const;

/** The decay of a problem as the kernels read it. */
export interface Decay {
  readonly form: DecayForm;
  /** float32 values, null for `none`. */
  readonly values: Float32Array | null;
  /** Elements between neighbours along batch, head and time; of use to `logGates` alone. */
  readonly stride: readonly [number, number, number];
  /** The caller's array, where it is one whose memory an output could overlap. */
  readonly source: ArrayBufferView | null;
}

/** Sizes that the decay must agree with. */
export interface DecaySizes {
  readonly B: number;
  readonly H: number;
  readonly N: number;
  readonly layout: "bhnd" | "bnhd";
}

const NONE: Decay = { form: "none", values: null, stride: [0, 0, 0], source: null };

/** The decay form that the options give, checked; at most one may be given. */
export function readDecay(options: AttentionOptions, sizes: DecaySizes, outlives: boolean): Decay {
  const given = DECAY_FORMS.filter((form) => options[form] !== undefined);
  if (given.length === 0) return NONE;
  if (given.length > 1) {
    refuse("INVALID_DECAY", given[1], "at most one of decay, logDecay, logGates", given.join(" and "));
  }
  return given[0] === "logGates"
    ? readGates(options.logGates, sizes, outlives)
    : readPerHead(given[0], options[given[0]], sizes.H, outlives);
}

const PER_HEAD = {
  decay: { expected: "factors in [0,1]", good: (a: number): boolean => a >= 0 && a <= 1 },
  logDecay: { expected: "natural logarithms <= 0", good: (a: number): boolean => a <= 0 },
};

function readPerHead(form: "decay" | "logDecay", value: unknown, H: number, outlives: boolean): Decay {
  const { numbers, source } = readNumbers(value, form, [H], ["H"], outlives);
  const { expected, good } = PER_HEAD[form];
  for (let h = 0; h < H; h++) {
    if (!good(numbers[h])) refuse("INVALID_DECAY", form, expected, `${numbers[h]} at [${h}]`);
  }
  return { form, values: Float32Array.from(numbers), stride: [0, 0, 0], source };
}

function readGates(value: unknown, { B, H, N, layout }: DecaySizes, outlives: boolean): Decay {
  const bhnd = layout === "bhnd";
  const shape = bhnd ? [B, H, N] : [B, N, H];
  const axes = bhnd ? ["B", "H", "N"] : ["B", "N", "H"];
  const { numbers, stride, source } = readNumbers(value, "logGates", shape, axes, outlives, layout);
  const [batch, head, time] = bhnd ? stride : [stride[0], stride[2], stride[1]];
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      const from = b * batch + h * head;
      for (let t = 0; t < N; t++) {
        const gate = numbers[from + t * time];
        if (!(gate <= 0)) {
          refuse(
            "INVALID_DECAY",
            "logGates",
            "natural logarithms <= 0",
            `${gate} at batch ${b}, head ${h}, token ${t}`,
          );
        }
      }
    }
  }
  const values = isFloat32Array(numbers) ? numbers : Float32Array.from(numbers);
  return { form: "logGates", values, stride: [batch, head, time], source };
}

interface Numbers {
  numbers: ArrayLike<number>;
  stride: number[];
  source: ArrayBufferView | null;
}

const FLOAT_ARRAYS: readonly unknown[] = ["Float16Array", "Float32Array", "Float64Array"];

/** Reads numbers from an array of floats, an array of numbers, or a tensor of the shape. */
function readNumbers(
  value: unknown,
  argument: string,
  shape: number[],
  axes: readonly string[],
  outlives: boolean,
  layout?: string,
): Numbers {
  const form = `[${axes.join(",")}] = [${shape.join(",")}]`;
  const isView = ArrayBuffer.isView(value);
  if (!Array.isArray(value) && !isView) return readTensor(value, argument, shape, axes, outlives, layout);
  if (isView) {
    const kind = (value as { [Symbol.toStringTag]?: string })[Symbol.toStringTag];
    if (!FLOAT_ARRAYS.includes(kind)) {
      refuse("INVALID_DTYPE", argument, "numbers, a Float32Array or a tensor", show(value));
    }
    checkBuffer(value, argument, outlives);
  }
  const numbers = value as unknown as ArrayLike<number>;
  if (numbers.length !== elementsOf(shape)) {
    refuse("INVALID_LENGTH", argument, `${elementsOf(shape)} numbers ${form}`, String(numbers.length));
  }
  if (!isView) {
    for (let i = 0; i < numbers.length; i++) {
      if (typeof numbers[i] !== "number") refuse("INVALID_ARGUMENT", argument, "numbers", show(numbers[i]));
    }
  }
  return { numbers, stride: denseStride(shape), source: isView ? value : null };
}

function readTensor(
  value: unknown,
  argument: string,
  shape: number[],
  axes: readonly string[],
  outlives: boolean,
  layout?: string,
): Numbers {
  const view = viewOf(value, argument, { axes, contiguous: false, outlives });
  const given = (value as TensorLike).layout;
  if (layout !== undefined && given !== undefined && given !== layout) {
    refuse("INVALID_LAYOUT", argument, `layout ${layout} as the call has`, show(given));
  }
  if (shape.some((size, axis) => size !== view.shape[axis])) {
    refuse("INVALID_SHAPE", argument, `shape [${axes.join(",")}] = [${shape.join(",")}]`, show(view.shape));
  }
  const source = (view.data as Float32Array).subarray(view.offset, view.offset + view.span);
  if (isFloat32Array(view.data)) {
    // The kernels take three zero strides for a dense array, so a broadcast over every axis has to be written out.
    const broadcast = view.stride.every((step) => step === 0) && !isDense(view.shape, view.stride);
    if (!broadcast) return { numbers: source, stride: [...view.stride], source };
  }
  const dense = new Tensor(view.data, view.shape, {
    dtype: view.dtype,
    stride: view.stride,
    offset: view.offset,
  });
  return { numbers: dense.toFloat32(), stride: denseStride(shape), source };
}
