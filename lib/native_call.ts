/** A problem in the form of leet.h. @module */
import type { ForwardArrays, Memory } from "../ffi/native.ts";
import { Struct } from "../ffi/struct.ts";
import {
  LEET_BF16,
  LEET_DECAY_FACTOR,
  LEET_DECAY_LOG,
  LEET_DECAY_LOG_GATES,
  LEET_DECAY_NONE,
  LEET_DEVICE_CPU,
  LEET_DEVICE_CUDA,
  LEET_F16,
  LEET_F32,
  LEET_LAYOUT_BHND,
  LEET_LAYOUT_BNHD,
  LEET_METHOD_AUTO,
  LEET_PARAMS,
} from "../ffi/symbols.ts";
import { refuse } from "./checks.ts";
import type { DecayForm } from "./decay_form.ts";
import type { DeviceKind } from "./device.ts";
import { METHOD_TABLE, methodRow } from "./methods/table.ts";
import type { Outputs } from "./outputs.ts";
import type { Operand, Problem } from "./problem.ts";
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
/** `auto` is the CPU: leet.h does not report which device ran, and a result has to name the right one. */
const DEVICE_CODES: Readonly<Record<Exclude<DeviceKind, "reference">, number>> = {
  auto: LEET_DEVICE_CPU,
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
  & Pick<Problem, "B" | "H" | "Hkv" | "N" | "dk" | "dv" | "S" | "dtype" | "layout" | "threads" | "device">
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

/** Writes a problem and where its outputs go. */
export function fillParams(params: Params, problem: Problem, outputs: Outputs): void {
  const { q, k, v, decay, cuSeqlens, initialState } = problem;
  fillHeader(params, { ...problem, decayForm: decay.form });
  params.setAll("q_stride", q.stride);
  params.setAll("k_stride", k.stride);
  params.setAll("v_stride", v.stride);
  params.setAll("o_stride", outputs.o.stride);
  params.setAll("gate_stride", decay.stride);
  params.set("q_len", q.span);
  params.set("k_len", k.span);
  params.set("v_len", v.span);
  params.set("o_len", outputs.o.span);
  params.set("decay_len", decay.values?.length ?? 0);
  params.set("cu_seqlens_len", cuSeqlens?.length ?? 0);
  params.set("initial_state_len", initialState?.length ?? 0);
  params.set("final_state_len", outputs.finalState?.length ?? 0);
}

/** The pointer arguments of leet_forward: views of the caller's memory, nothing is copied. */
export function arraysOf(
  { q, k, v, decay, cuSeqlens, initialState }: Problem,
  outputs: Outputs,
): ForwardArrays {
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

function memoryOf({ data, offset, span }: Operand): Memory {
  return (data as Float32Array).subarray(offset, offset + span);
}

/** The name of a method by its number in leet.h. */
export function methodName(id: number): string {
  return METHOD_TABLE.find((row) => row.id === id)?.name ?? `method ${id}`;
}
