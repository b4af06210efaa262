/** A problem in the form of leet.h. @module */
import type { ForwardArrays, Memory } from "../ffi/native.ts";
import { Struct } from "../ffi/struct.ts";
import {
  LEET_BF16,
  LEET_DECAY_FACTOR,
  LEET_DECAY_LOG,
  LEET_DECAY_LOG_GATES,
  LEET_DECAY_NONE,
  LEET_DEVICE_AUTO,
  LEET_DEVICE_CPU,
  LEET_DEVICE_CUDA,
  LEET_F16,
  LEET_F32,
  LEET_FLAG_DEVICE_POINTERS,
  LEET_FLAG_HOST_DECAY,
  LEET_LAYOUT_BHND,
  LEET_LAYOUT_BNHD,
  LEET_METHOD_AUTO,
  LEET_PARAMS,
} from "../ffi/symbols.ts";
import type { Call, Operand } from "./call.ts";
import { refuse } from "./checks.ts";
import type { DecayForm } from "./decay_form.ts";
import { type DeviceKind, deviceName } from "./device.ts";
import type { DeviceOutputs } from "./device_outputs.ts";
import type { DeviceProblem } from "./device_problem.ts";
import { firstAddress } from "./device_tensor.ts";
import { METHOD_TABLE, methodRow } from "./methods/table.ts";
import type { Outputs } from "./outputs.ts";
import type { Problem } from "./problem.ts";
import type { DType, Layout } from "./types.ts";

/** Largest dk and dv of the native devices. */
export const MAX_NATIVE_DIM = 512;

const DTYPE_CODES: Readonly<Record<DType, number>> = { f32: LEET_F32, f16: LEET_F16, bf16: LEET_BF16 };
const LAYOUT_CODES: Readonly<Record<Layout, number>> = { bhnd: LEET_LAYOUT_BHND, bnhd: LEET_LAYOUT_BNHD };
const DECAY_CODES: Readonly<Record<DecayForm, number>> = {
  none: LEET_DECAY_NONE,
  decay: LEET_DECAY_FACTOR,
  logDecay: LEET_DECAY_LOG,
  logGates: LEET_DECAY_LOG_GATES,
};
const DEVICE_CODES: Readonly<Record<Exclude<DeviceKind, "reference">, number>> = {
  auto: LEET_DEVICE_AUTO,
  cpu: LEET_DEVICE_CPU,
  cuda: LEET_DEVICE_CUDA,
};

/** The struct leet_params in a buffer of its own. */
export type Params = Struct<typeof LEET_PARAMS>;

/** A zeroed leet_params. */
export function newParams(): Params {
  return new Struct(LEET_PARAMS);
}

/** What every native call has in common with an estimate of its cost. */
export type CallHeader =
  & Pick<Call, "B" | "H" | "Hkv" | "N" | "dk" | "dv" | "S" | "dtype" | "layout" | "threads" | "device">
  & { readonly method: string; readonly decayForm: DecayForm; readonly scale: number };

/** Refuses head dimensions that the native devices do not take. */
export function checkNativeDims({ dk, dv }: { dk: number; dv: number }): void {
  if (dk > MAX_NATIVE_DIM) {
    refuse("UNSUPPORTED_SHAPE", "q", `dk <= ${MAX_NATIVE_DIM} on a native device`, String(dk));
  }
  if (dv > MAX_NATIVE_DIM) {
    refuse("UNSUPPORTED_SHAPE", "v", `dv <= ${MAX_NATIVE_DIM} on a native device`, String(dv));
  }
}

/** Writes all of a call but its arrays; strides and lengths are zero, which means dense and not stated. */
export function fillHeader(params: Params, call: CallHeader): void {
  params.clear();
  params.set("method", methodRow(call.method)?.id ?? LEET_METHOD_AUTO);
  params.set("device", DEVICE_CODES[call.device.kind as keyof typeof DEVICE_CODES]);
  params.set("device_index", call.device.index);
  params.set("dtype", DTYPE_CODES[call.dtype]);
  params.set("decay_form", DECAY_CODES[call.decayForm]);
  params.set("layout", LAYOUT_CODES[call.layout]);
  params.set("threads", call.threads);
  params.set("scale", call.scale);
  for (const size of ["B", "H", "Hkv", "N", "dk", "dv", "S"] as const) params.set(size, call[size]);
}

/** Where the arrays of a problem lie, as far as the params tell. */
type Placed = Pick<Operand<unknown>, "stride" | "span">;

/** Writes strides and lengths; those of the states follow from the sizes. */
function fillArrays(
  params: Params,
  call: Call,
  { q, k, v, o }: { q: Placed; k: Placed; v: Placed; o: Placed },
  decay: { readonly stride: readonly number[]; readonly length: number },
): void {
  const { cuSeqlens, sequences, H, dk, dv } = call;
  const state = sequences * H * dk * dv;
  params.setAll("q_stride", q.stride);
  params.setAll("k_stride", k.stride);
  params.setAll("v_stride", v.stride);
  params.setAll("o_stride", o.stride);
  params.setAll("gate_stride", decay.stride);
  params.set("q_len", q.span);
  params.set("k_len", k.span);
  params.set("v_len", v.span);
  params.set("o_len", o.span);
  params.set("decay_len", decay.length);
  params.set("cu_seqlens_len", cuSeqlens?.length ?? 0);
  params.set("initial_state_len", state);
  params.set("final_state_len", state);
}

/** Writes a problem and where its outputs go; the pointer arguments of leet_forward: views, nothing is copied. */
export function fillParams(params: Params, problem: Problem, outputs: Outputs): ForwardArrays {
  const { q, k, v, decay, cuSeqlens, initialState } = problem;
  fillHeader(params, { ...problem, decayForm: decay.form });
  fillArrays(params, problem, { q, k, v, o: outputs.o }, { ...decay, length: decay.values?.length ?? 0 });
  return [
    memoryOf(q),
    memoryOf(k),
    memoryOf(v),
    decay.values,
    cuSeqlens,
    initialState,
    memoryOf(outputs.o),
    outputs.finalState,
  ];
}

/** The same on device tensors: the pointer arguments are addresses, but for a decay of the host. */
export function fillDeviceParams(
  params: Params,
  problem: DeviceProblem,
  outputs: DeviceOutputs,
): ForwardArrays {
  const { q, k, v, decay, cuSeqlens, initialState, stream } = problem;
  fillHeader(params, { ...problem, decayForm: decay.form });
  fillArrays(params, problem, { q, k, v, o: outputs.o }, decay);
  const hostDecay = decay.values !== null && typeof decay.values !== "bigint";
  params.set("flags", LEET_FLAG_DEVICE_POINTERS | (hostDecay ? LEET_FLAG_HOST_DECAY : 0));
  params.setBits("stream", stream);
  return [
    firstAddress(q.data),
    firstAddress(k.data),
    firstAddress(v.data),
    decay.values ?? 0n,
    cuSeqlens,
    initialState ? firstAddress(initialState) : 0n,
    firstAddress(outputs.o.data),
    outputs.finalState ? firstAddress(outputs.finalState) : 0n,
  ];
}

/** The part of an array that a call uses; a new view only where that is not the whole. */
function memoryOf({ data, offset, span }: Operand): Memory {
  if (offset === 0 && span === data.length) return data as Float32Array;
  return (data as Float32Array).subarray(offset, offset + span);
}

/** What ran a call: what `auto` chose. */
export function usedBy(params: Params): { method: string; device: string } {
  const cpu = params.get("device_used") === LEET_DEVICE_CPU;
  return {
    method: methodName(params.get("method_used")),
    device: cpu ? "cpu" : deviceName(params.get("device_index_used")),
  };
}

/** The name of a method by its number in leet.h. */
export function methodName(id: number): string {
  return METHOD_TABLE.find((row) => row.id === id)?.name ?? `method ${id}`;
}
