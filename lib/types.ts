/** Types shared by every part of the library. No code. @module */
import type { DeviceTensor } from "./device_tensor.ts";

/** Storage type of q, k, v and o. Accumulation and states are float32 on native devices, float64 on `reference`. */
export type DType = "f32" | "f16" | "bf16";

/** Order of the axes: `bhnd` is [B,H,N,d] (LeetDecoding), `bnhd` is [B,N,H,d] (flash-linear-attention). */
export type Layout = "bhnd" | "bnhd";

/** A CUDA device by its name; `cuda` is the first. */
export type CudaDevice = "cuda" | `cuda:${number}`;

/** Methods that come with the library; more can be registered under other names. */
export type BuiltinMethod =
  | "vanilla"
  | "recurrent"
  | "block"
  | "recursion"
  | "lightning"
  | "fleet"
  | "flash";

/** A typed array that can hold q, k, v or o. `Uint16Array` holds bf16 bit patterns (f16 when `dtype` says so). */
export type TensorData = Float32Array | Uint16Array | Float16ArrayLike;

/** `Float16Array` of ES2025, described by shape because older runtimes and type libraries do not have it. */
export interface Float16ArrayLike {
  /** Tells it from other typed arrays. */
  readonly [Symbol.toStringTag]: "Float16Array";
  /** 2 */
  readonly BYTES_PER_ELEMENT: number;
  /** The memory that it views. */
  readonly buffer: ArrayBufferLike;
  /** Bytes before the first element. */
  readonly byteOffset: number;
  /** Bytes of all elements. */
  readonly byteLength: number;
  /** Number of elements. */
  readonly length: number;
  /** An element as a number; rounded to nearest even when written. */
  [index: number]: number;
}

/** Anything accepted where a tensor is expected: a {@linkcode Tensor} or the ndarray duck type. */
export interface TensorLike {
  /** The elements. */
  readonly data: TensorData;
  /** Sizes of the axes, in the order of the layout. */
  readonly shape: readonly number[];
  /** Distance in elements between neighbours along each axis; dense when left out. The last must be 1. */
  readonly stride?: readonly number[];
  /** Index of the first element in `data`; 0 when left out. */
  readonly offset?: number;
  /** Taken from `data` when left out: Float32Array f32, Float16Array f16, Uint16Array bf16. */
  readonly dtype?: DType;
  /** What the axes mean; where given, it must agree with the layout of the call. */
  readonly layout?: Layout;
}

/** How the state decays from one token to the next. At most one of the three; none = no decay. */
export interface DecayOptions {
  /** [H] factors in [0,1]; a factor, never a rate. */
  decay?: TensorLike | ArrayLike<number>;
  /** [H] natural logarithms of the factor, <= 0. */
  logDecay?: TensorLike | ArrayLike<number>;
  /** [B,H,N] (`bhnd`) or [B,N,H] (`bnhd`) natural logarithms of the factor of each token, <= 0. -Infinity resets. */
  logGates?: TensorLike | ArrayLike<number>;
}

/** Options of {@linkcode linearAttention}. */
export interface AttentionOptions extends DecayOptions {
  /** A built-in or registered method; `auto` (default) picks the cheapest by the cost model. */
  method?: BuiltinMethod | "auto" | (string & Record<never, never>);
  /** `auto` (default), `cpu`, `cuda`, `cuda:N` or `reference`. */
  device?: string;
  /** Axis order of q, k, v, o and logGates; default `bhnd`. */
  layout?: Layout;
  /** Multiplies the output; any number that is finite as float32; default 1. */
  scale?: number;
  /** f32 state before the first token, [B,H,dk,dv], or [S,H,dk,dv] with cuSeqlens. Default zeros. */
  initialState?: TensorLike | Float32Array;
  /** Return the state after the last token. Default false. */
  outputFinalState?: boolean;
  /** Ragged batch (B must be 1): S+1 token offsets, first 0, last N. Sequence s is tokens [s] .. [s+1]-1. */
  cuSeqlens?: ArrayLike<number | bigint>;
  /** Write the output here instead of allocating. Same shape and dtype as the result. */
  out?: TensorLike;
  /** Write the final state here. May be the same array as initialState. Implies outputFinalState. */
  outFinalState?: TensorLike | Float32Array;
  /** At most this many CPU threads; default one per processor. Results have the same bits for any number. */
  threads?: number;
}

/**
 * Options of {@linkcode linearAttention} on device tensors. Arrays are {@linkcode DeviceTensor}s of the device that q is
 * on. Values on the device are not checked: what a decay out of range gives there is not defined.
 */
export interface DeviceAttentionOptions extends
  Omit<
    AttentionOptions,
    "decay" | "logDecay" | "logGates" | "initialState" | "out" | "outFinalState" | "device"
  > {
  /** `auto` (default), or the device that q is on. */
  device?: string;
  /** [H] factors in [0,1], f32. Host values are checked and copied to the device for the call. */
  decay?: DeviceTensor | TensorLike | ArrayLike<number>;
  /** [H] natural logarithms of the factor, <= 0, f32. Host values are checked and copied for the call. */
  logDecay?: DeviceTensor | TensorLike | ArrayLike<number>;
  /** [B,H,N] or [B,N,H] natural logarithms of the factor of each token. Host values are checked and copied. */
  logGates?: DeviceTensor | TensorLike | ArrayLike<number>;
  /** f32 state before the first token, [B,H,dk,dv], or [S,H,dk,dv] with cuSeqlens. Default zeros. */
  initialState?: DeviceTensor;
  /** Write the output here instead of allocating; the result is then a view of it. */
  out?: DeviceTensor;
  /** Write the final state here. May be the same memory as initialState. Implies outputFinalState. */
  outFinalState?: DeviceTensor;
  /**
   * The handle of a CUDA stream (CUstream, cudaStream_t; 0n is CUDA's default stream) to queue the work on, behind what is
   * there. `linearAttention` then returns without waiting for it. Until the stream was waited for, by whoever owns it: the
   * results are not there yet, `toHost()` and calls without that stream must not touch them, and nothing that the call uses
   * may be disposed, overwritten or forgotten. Host decays may change at once. Failures of the kernels show where the
   * stream is waited for. Left out, the work runs on a stream of the library and the call waits for its end.
   */
  stream?: bigint;
}
