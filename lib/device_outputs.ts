/** Where a call on device tensors writes: the caller's tensors, or new ones. @module */
import type { Native } from "../ffi/native.ts";
import { denseStride, elementsOf } from "./array_view.ts";
import { type Operand, outputShape, place } from "./call.ts";
import type { DeviceProblem } from "./device_problem.ts";
import { allocateOnDevice, type DeviceTensor, discard, viewOfDevice } from "./device_tensor.ts";

/** The outputs of a call. */
export interface DeviceOutputs {
  readonly o: Operand<DeviceTensor>;
  /** null when not wanted. */
  readonly finalState: DeviceTensor | null;
}

/** The caller's outputs, and new ones where the caller gave none. */
export function takeDeviceOutputs(native: Native, problem: DeviceProblem): DeviceOutputs {
  const { out, outFinalState, wantsFinalState, layout, dtype, device, sequences, H, dk, dv } = problem;
  const shape = outputShape(problem);
  const fresh = (): Operand<DeviceTensor> => {
    const data = allocateOnDevice(native, device.index, { shape, dtype, layout });
    return place(
      { data, dtype, shape, stride: denseStride(shape), offset: 0, span: elementsOf(shape) },
      layout,
      "o",
    );
  };
  const o = out ? place(out, layout, "out") : fresh();
  if (!wantsFinalState || outFinalState) return { o, finalState: outFinalState };
  try {
    const state = { shape: [sequences, H, dk, dv], dtype: "f32" } as const;
    return { o, finalState: allocateOnDevice(native, device.index, state) };
  } catch (error) {
    if (!out) discard(o.data);
    throw error;
  }
}

/** Gives up what {@linkcode takeDeviceOutputs} allocated, after a call that failed. */
export function discardOutputs({ out, outFinalState }: DeviceProblem, outputs: DeviceOutputs): void {
  if (!out) discard(outputs.o.data);
  if (!outFinalState && outputs.finalState) discard(outputs.finalState);
}

/** The outputs as the caller gets them: new tensors that own their memory, and views of the caller's own. */
export function toDeviceTensors(
  { out, outFinalState }: DeviceProblem,
  { o, finalState }: DeviceOutputs,
): { o: DeviceTensor; finalState?: DeviceTensor } {
  const result = { o: out ? viewOfDevice(o.data) : o.data };
  if (finalState === null) return result;
  return { ...result, finalState: outFinalState ? viewOfDevice(finalState) : finalState };
}
