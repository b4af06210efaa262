/** Where a call on host arrays writes: the caller's arrays, or new ones. @module */
import { denseStride, elementsOf } from "./array_view.ts";
import { outputShape } from "./call.ts";
import { allocate } from "./dtype.ts";
import { LeetError } from "./errors.ts";
import type { Operand, Problem } from "./problem.ts";
import { Tensor } from "./tensor.ts";

/** The outputs of a call. */
export interface Outputs {
  readonly o: Operand;
  /** Exactly [sequences,H,dk,dv]; null when not wanted. */
  readonly finalState: Float32Array | null;
}

/** Runs an allocation; throws LeetError OUT_OF_MEMORY where the runtime only has a RangeError. */
function reserve<T>(what: string, elements: number, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw new LeetError("OUT_OF_MEMORY", `${what}: no memory for ${elements} elements`, {
      argument: what,
      cause,
    });
  }
}

/** The caller's outputs, and new ones where the caller gave none. */
export function takeOutputs(problem: Problem): Outputs {
  const { out, outFinalState, wantsFinalState, layout, sequences, H, dk, dv } = problem;
  const shape = outputShape(problem);
  const elements = elementsOf(shape);
  const { data, offset, stride } = out ??
    {
      data: reserve("o", elements, () => allocate(problem.dtype, elements)),
      offset: 0,
      stride: denseStride(shape),
    };
  const [b, x, y] = stride;
  const span = out ? out.span : elements;
  const o: Operand = { data, offset, span, stride: layout === "bhnd" ? [b, x, y] : [b, y, x] };
  const size = sequences * H * dk * dv;
  const finalState = outFinalState ??
    (wantsFinalState ? reserve("finalState", size, () => new Float32Array(size)) : null);
  return { o, finalState };
}

/** The outputs as the caller gets them. */
export function toTensors(problem: Problem, { o, finalState }: Outputs): { o: Tensor; finalState?: Tensor } {
  const { layout, dtype, sequences, H, dk, dv } = problem;
  const [b, h, t] = o.stride;
  const stride = layout === "bhnd" ? [b, h, t, 1] : [b, t, h, 1];
  const result = { o: new Tensor(o.data, outputShape(problem), { dtype, layout, stride, offset: o.offset }) };
  if (finalState === null) return result;
  return { ...result, finalState: new Tensor(finalState, [sequences, H, dk, dv]) };
}
