/** One checked call of the operator on device tensors. The values on the device are not looked at. @module */
import { checkAliases, type Region, sameMemory } from "./alias.ts";
import { type ArrayView, checkGeometry, isDense, spanOf } from "./array_view.ts";
import {
  type Call,
  checkLayout,
  checkOptions,
  checkOut,
  checkSizes,
  checkState,
  checkStateSize,
  type Operand,
  outputShape,
  place,
  readLayout,
  readSettings,
  readWish,
  type Settings,
  type StateForm,
  stateForm,
} from "./call.ts";
import { refuse } from "./checks.ts";
import { readCuSeqlens } from "./cu_seqlens.ts";
import { DECAY_FORMS, type DecayForm, type DecaySizes, readDecay } from "./decay_form.ts";
import { deviceName, parseCudaDevice } from "./device.ts";
import { deviceRange, DeviceTensor, firstAddress, mustLive } from "./device_tensor.ts";
import { show } from "./errors.ts";
import { axesOf } from "./layout.ts";
import type { DeviceAttentionOptions, Layout } from "./types.ts";

/** The decay of a call on device tensors. */
export interface DeviceDecay {
  readonly form: DecayForm;
  /** Address of float32 values, values of the host, or null for `none`. */
  readonly values: bigint | Float32Array | null;
  /** Elements that lie there. */
  readonly length: number;
  /** Elements between neighbours along batch, head and time; of use to `logGates` alone. */
  readonly stride: readonly [number, number, number];
  readonly source: DeviceTensor | null;
}

/** A checked call on device tensors. */
export interface DeviceProblem extends Call {
  readonly q: Operand<DeviceTensor>;
  readonly k: Operand<DeviceTensor>;
  readonly v: Operand<DeviceTensor>;
  readonly decay: DeviceDecay;
  readonly initialState: DeviceTensor | null;
  /** Where the caller wants o; null when it is to be allocated. */
  readonly out: ArrayView<DeviceTensor> | null;
  /** null when it is to be allocated or not wanted. */
  readonly outFinalState: DeviceTensor | null;
  /** The caller's stream as leet.h takes it; 0n for that of the library, whose end the call waits for. */
  readonly stream: bigint;
}

/** Options that must be on the device of q. */
const TOGETHER = ["initialState", "out", "outFinalState"] as const;

const deviceOf = (value: unknown): string | null => value instanceof DeviceTensor ? value.device : null;

function refusePlace(argument: string, device: string | null, value: unknown): never {
  const expected = device === null ? "host data, as q is" : `a DeviceTensor on ${device}, where q is`;
  const own = deviceOf(value);
  const isArray = typeof value === "object" && value !== null;
  refuse(
    isArray ? "INVALID_DEVICE" : "INVALID_ARGUMENT",
    argument,
    expected,
    own !== null ? `one on ${own}` : isArray ? "host data" : show(value),
  );
}

/**
 * Whether the arrays of a call are on a device.
 *
 * @throws LeetError INVALID_DEVICE, naming the first array that is elsewhere than q
 */
export function isOnDevice(q: unknown, k: unknown, v: unknown, options: unknown): boolean {
  const device = deviceOf(q);
  if (deviceOf(k) !== device) refusePlace("k", device, k);
  if (deviceOf(v) !== device) refusePlace("v", device, v);
  const given = Object(options) as { [option: string]: unknown };
  for (const name of TOGETHER) {
    if (given[name] !== undefined && deviceOf(given[name]) !== device) refusePlace(name, device, given[name]);
  }
  for (const name of DECAY_FORMS) {
    const own = deviceOf(given[name]);
    if (own !== null && own !== device) refusePlace(name, device, given[name]);
  }
  return device !== null;
}

/**
 * Checks the arguments of a call on device tensors.
 *
 * @param outlives whether the arrays are used after the call returns
 * @throws LeetError whose `argument` is the name of what is wrong
 */
export function makeDeviceProblem(
  q: DeviceTensor,
  k: DeviceTensor,
  v: DeviceTensor,
  options: DeviceAttentionOptions = {},
  outlives = false,
): DeviceProblem {
  checkOptions(options);
  const settings = checkDevice(readSettings({ ...options }), q);
  const stream = readStream(options.stream, outlives);
  const layout = readLayout(q, options.layout);
  const views = {
    q: operand(q, "q", "H", "dk", layout),
    k: operand(k, "k", "Hkv", "dk", layout),
    v: operand(v, "v", "Hkv", "dv", layout),
  };
  const { dtype } = views.q;
  const sizes = checkSizes(views.q, views.k, views.v, layout);
  const { B, H, N } = sizes;

  const cuSeqlens = readCuSeqlens(options.cuSeqlens, B, N, outlives);
  const S = cuSeqlens ? cuSeqlens.length - 1 : 0;
  const sequences = cuSeqlens ? S : B;
  const decay = readDeviceDecay(options, { B, H, N, layout }, outlives);
  const form = stateForm(sizes, sequences, cuSeqlens !== null);
  const initialState = readState(options.initialState, "initialState", form);
  const outFinalState = readState(options.outFinalState, "outFinalState", form);
  const wantsFinalState = readWish(options);
  const out = options.out === undefined ? null : operand(options.out, "out", "H", "dv", layout);
  if (out) checkOut(out, outputShape({ ...sizes, layout }), dtype);

  const inPlace = initialState && outFinalState &&
    sameMemory(deviceRange(initialState), deviceRange(outFinalState));
  checkAliases(
    [
      region("q", q),
      region("k", k),
      region("v", v),
      region(decay.form, decay.source),
      region("initialState", inPlace ? null : initialState),
    ],
    [region("out", options.out ?? null), region("outFinalState", outFinalState)],
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
    stream,
  };
}

/** The settings with the device of q, which is the only one that can be asked for. */
function checkDevice(settings: Settings, q: DeviceTensor): Settings {
  const { kind, index } = settings.device;
  if (kind !== "auto" && (kind !== "cuda" || deviceName(index) !== q.device)) {
    refuse(
      "INVALID_DEVICE",
      "device",
      `auto or ${q.device}, where q is`,
      kind === "cuda" ? deviceName(index) : kind,
    );
  }
  return { ...settings, device: { kind: "cuda", index: parseCudaDevice(q.device) } };
}

/** CUDA's handle of its default stream, for those who have 0 for it; 0 in leet.h is the library's own stream. */
const LEGACY_STREAM = 1n;

function readStream(value: unknown, outlives: boolean): bigint {
  if (value === undefined) return 0n;
  if (typeof value !== "bigint" || value < 0n || value >= 1n << 64n) {
    refuse("INVALID_ARGUMENT", "stream", "the handle of a CUDA stream as a bigint", show(value));
  }
  if (outlives) {
    refuse("INVALID_ARGUMENT", "stream", "none, or linearAttention, which does not wait for it", show(value));
  }
  return value === 0n ? LEGACY_STREAM : value;
}

function operand(
  tensor: DeviceTensor,
  argument: string,
  heads: string,
  dim: string,
  layout: Layout,
): ArrayView<DeviceTensor> {
  mustLive(tensor, argument);
  const { dtype } = tensor;
  const geometry = checkGeometry(tensor.shape, tensor.stride, tensor.offset, argument, {
    axes: axesOf(layout, heads, dim),
  });
  checkLayout(tensor.layout, argument, layout);
  return { data: tensor, dtype, ...geometry };
}

function readState(tensor: DeviceTensor | undefined, argument: string, form: StateForm): DeviceTensor | null {
  if (tensor === undefined) return null;
  checkStateSize(form, argument);
  mustLive(tensor, argument);
  checkGeometry(tensor.shape, tensor.stride, tensor.offset, argument, { axes: form.axes });
  checkState(tensor, argument, form);
  return tensor;
}

function readDeviceDecay(
  options: DeviceAttentionOptions,
  sizes: DecaySizes,
  outlives: boolean,
): DeviceDecay {
  const form = DECAY_FORMS.find((name) => options[name] instanceof DeviceTensor);
  if (form === undefined) {
    const { source: _, ...decay } = readDecay(options as Parameters<typeof readDecay>[0], sizes, outlives);
    return { ...decay, length: decay.values?.length ?? 0, source: null };
  }
  const given = DECAY_FORMS.filter((name) => options[name] !== undefined);
  if (given.length > 1) {
    refuse("INVALID_DECAY", given[1], "at most one of decay, logDecay, logGates", given.join(" and "));
  }
  const tensor = options[form] as DeviceTensor;
  mustLive(tensor, form);
  const { B, H, N, layout } = sizes;
  const bhnd = layout === "bhnd";
  const [shape, axes] = form !== "logGates"
    ? [[H], ["H"]]
    : [bhnd ? [B, H, N] : [B, N, H], bhnd ? ["B", "H", "N"] : ["B", "N", "H"]];
  if (tensor.dtype !== "f32") refuse("INVALID_DTYPE", form, "f32 on a device", tensor.dtype);
  if (shape.length !== tensor.shape.length || shape.some((size, axis) => size !== tensor.shape[axis])) {
    refuse("INVALID_SHAPE", form, `shape [${axes.join(",")}] = [${shape.join(",")}]`, show(tensor.shape));
  }
  // The kernels take three zero strides for a dense array, and a decay per head for one without gaps.
  const flat = tensor.stride.every((step) => step === 0) || form !== "logGates";
  if (flat && !isDense(tensor.shape, tensor.stride)) {
    refuse("INVALID_STRIDE", form, "a dense tensor", `stride ${show(tensor.stride)}`);
  }
  if (form === "logGates") checkLayout(tensor.layout, form, layout);
  const [b, x, y] = tensor.stride;
  return {
    form,
    values: firstAddress(tensor),
    length: spanOf(tensor.shape, tensor.stride),
    stride: form !== "logGates" ? [0, 0, 0] : bhnd ? [b, x, y] : [b, y, x],
    source: tensor,
  };
}

function region(argument: string, tensor: DeviceTensor | null): Region {
  return { argument, range: tensor && deviceRange(tensor) };
}
