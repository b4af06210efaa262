/** What `leet run` writes, and in which format. @module */

import { bitsOf, isFloat32Array } from "../dtype.ts";
import { LeetError } from "../errors.ts";
import { type FileContent, writeFiles } from "../io/files.ts";
import { writeNpy } from "../io/npy.ts";
import { writeSafetensors } from "../io/safetensors.ts";
import type { NumericTensor } from "../io/stored.ts";
import type { Tensor } from "../tensor.ts";
import type { DType } from "../types.ts";
import { type Arguments, usageError } from "./args.ts";

/** Files to write. The extension of `out` decides: .npy holds o alone, anything else is a safetensors file. */
export interface OutputPlan {
  readonly out: string;
  readonly npy: boolean;
  /** .npy file for the final state, beside an `out` that is one. */
  readonly finalState?: string;
}

/**
 * The files that the arguments name.
 * @throws LeetError USAGE
 */
export function planOutputs(values: Arguments["values"]): OutputPlan {
  const { out, "final-state-out": finalState } = values;
  if (out === undefined) throw usageError("--out: missing");
  const npy = isNpy(out);
  if (finalState !== undefined) {
    if (!npy) {
      throw usageError(
        "--final-state-out: only beside an --out that ends in .npy; a safetensors file holds both",
      );
    }
    if (!isNpy(finalState)) throw usageError("--final-state-out: expected a path that ends in .npy");
    if (finalState === out) throw usageError("--final-state-out: expected another path than --out");
  }
  return { out, npy, finalState };
}

/** Refuses before the computation what could not be written after it. */
export function checkOutputs({ out, npy }: OutputPlan, dtype: DType): void {
  if (npy && dtype === "bf16") {
    throw new LeetError(
      "INVALID_DTYPE",
      `--out ${out}: expected a dtype that .npy can hold, got bf16; write .safetensors, or compute in --dtype f32 or f16`,
      { argument: "out" },
    );
  }
}

/** Writes all files, or none. */
export function writeOutputs(
  { out, npy, finalState }: OutputPlan,
  o: Tensor,
  state: Tensor,
  metadata: Readonly<Record<string, string>>,
): void {
  const files: FileContent[] = [];
  if (npy) {
    files.push({ path: out, bytes: writeNpy(stored(o)) });
    if (finalState !== undefined) files.push({ path: finalState, bytes: writeNpy(stored(state)) });
  } else {
    files.push({
      path: out,
      bytes: writeSafetensors({ o: stored(o), final_state: stored(state) }, metadata),
    });
  }
  writeFiles(files);
}

const isNpy = (path: string): boolean => path.toLowerCase().endsWith(".npy");

function stored(tensor: Tensor): NumericTensor {
  const { data, dtype, shape } = tensor.dense();
  if (isFloat32Array(data)) return { dtype: "F32", shape, data };
  return { dtype: dtype === "f16" ? "F16" : "BF16", shape, data: bitsOf(data) };
}
