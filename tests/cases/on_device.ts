/** One call of a case on device tensors: every array lies in device memory as it does in host memory. @module */
import {
  type DeviceAttentionOptions,
  type DeviceTensor,
  deviceTensor,
  linearAttention,
  tensor,
} from "../../lib/mod.ts";
import { GUARD, inputArrays, type Outputs, type Prepared, stateOf } from "./check.ts";
import { place, type Placed, poison } from "./inputs.ts";

const DEVICE = "cuda:0";

/** The whole array, gaps and guards included, in device memory, and the tensor in it. */
class Uploaded {
  readonly memory: DeviceTensor;
  readonly tensor: DeviceTensor;
  readonly #placed: Placed;

  constructor(placed: Placed) {
    const { data, shape, stride, offset, dtype } = placed;
    this.#placed = placed;
    this.memory = tensor(data, [data.length], { dtype, device: DEVICE });
    // A foreign address, so that offsets and strides are those of the case.
    this.tensor = deviceTensor(this.memory.address, shape, { device: DEVICE, dtype, stride, offset });
  }

  /** What the device memory holds now, and its end. */
  take(): Placed {
    const { data } = this.memory.toHost();
    this.memory.dispose();
    return { ...this.#placed, data };
  }
}

const flat = (data: Float32Array, shape: number[], offset = 0): Placed => {
  const stride = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  return { data, shape, stride, offset, dtype: "f32" };
};

/** @param decayThere whether the decay goes to the device beforehand, or is left to the call */
export function runOnDevice(prepared: Prepared, method: string, decayThere: boolean): Outputs {
  const { c, inputs } = prepared;
  const { decay, logDecay, logGates, initialState, out: _, outFinalState: __, device: ___, ...rest } =
    inputs.options;
  const { elements, wanted, sequences } = stateOf(prepared);
  const [q, k, v, o] = [inputs.q, inputs.k, inputs.v, place(c, c.H, c.dv)].map((array) =>
    new Uploaded(array)
  );
  const stateShape = [sequences, c.H, c.dk, c.dv];
  const memory = poison("f32", elements + 2 * GUARD) as Float32Array;
  if (c.state === "inplace") memory.set(initialState as Float32Array, GUARD);
  const state = new Uploaded(flat(memory, stateShape, GUARD));
  const options: DeviceAttentionOptions = { ...rest, method, out: o.tensor };
  if (wanted) options.outFinalState = state.tensor;
  const before = initialState && new Uploaded(flat(initialState as Float32Array, stateShape));
  if (before) options.initialState = c.state === "inplace" ? state.tensor : before.tensor;

  const gateShape = c.layout.startsWith("bhnd") ? [c.B, c.H, c.N] : [c.B, c.N, c.H];
  const decays = Object.entries({ decay, logDecay, logGates }).flatMap(([form, values]) => {
    if (values === undefined) return [];
    const array = Float32Array.from(values as ArrayLike<number>);
    return [{ form, uploaded: new Uploaded(flat(array, form === "logGates" ? gateShape : [c.H])), values }];
  });
  for (const { form, uploaded, values } of decays) {
    Object.assign(options, { [form]: decayThere ? uploaded.tensor : values });
  }
  linearAttention(q.tensor, k.tensor, v.tensor, options);

  before?.take();
  const stateMemory = state.take().data as Float32Array;
  // A decay that was no typed array is not among the input arrays that are compared.
  const kept = inputArrays(inputs).length === 3 + decays.length;
  const decaysNow = decays.map(({ uploaded }) => uploaded.take().data).filter(() => kept);
  return {
    o: o.take(),
    stateMemory,
    finalState: wanted ? stateMemory.subarray(GUARD, GUARD + elements) : undefined,
    inputs: [...[q, k, v].map((array) => array.take().data), ...decaysNow] as ArrayBufferView[],
  };
}
