/** What takes part in a benchmark: a method of the library, of a user, or of another library. @module */
import { openNative } from "../../ffi/open.ts";
import { linearAttention } from "../attention.ts";
import { explain, type Explanation } from "../explain.ts";
import type { Operand } from "../problem.ts";
import type { Config } from "./config.ts";
import { type Inputs, poison } from "./inputs.ts";
import { denseOperand } from "./sample.ts";

/** What a call will cost. */
export interface Prediction {
  /** Time of one call. */
  readonly seconds: number;
  /** Bytes beside the arrays; null where only a measurement can tell. */
  readonly workspace: number | null;
  /** Floating point operations; null where they are not known. */
  readonly flops: number | null;
  /** Least traffic with memory in bytes; null where it is not known. */
  readonly bytes: number | null;
}

/** A contestant with the arrays of one configuration. */
export interface Bout {
  /** Clears the output, so that an element that is not written shows. */
  poison(): void;
  /** Computes the operator once. */
  call(): void | Promise<void>;
  /** The output [B,H,N,dv] of the last call. */
  output(): Operand;
  /** Gives back what it holds. */
  close(): void;
}

/** A method as it takes part. */
export interface Contestant {
  /** Its name in the results. */
  readonly name: string;
  readonly origin: "built in" | "user" | "peer";
  /** Where it is known to be wrong; it is not timed then. */
  readonly wrong: string | null;
  /** Multiplies the tolerance; above 1 for programs that do not promise ours. */
  readonly loose: number;
  /** Milliseconds to wait after its turn, where its threads stay busy for a while. */
  readonly restMs?: number;
  /** The device it runs on for a configuration, or null when it has no part in it. */
  deviceFor(config: Config): string | null;
  /** Why it cannot compute a configuration, or null. */
  refusal(config: Config): string | null;
  /** What a call is likely to cost. May throw a LeetError for what the library refuses. */
  predict(config: Config): Prediction;
  /** The method that runs for a configuration, where that is another name: what `auto` chose. */
  chosen?(config: Config): string;
  /** Makes ready for calls. */
  open(config: Config, inputs: Inputs): Bout | Promise<Bout>;
}

/** What the cost model says about a configuration. */
export function explanationOf({ decay, ...shape }: Config): Explanation {
  return explain({ ...shape, decayForm: decay });
}

/** A bout of linearAttention, with `out`, so that a call allocates nothing. */
export function libraryBout(method: string, device: string, config: Config, inputs: Inputs): Bout {
  const { q, k, v, o, decay } = inputs;
  const { threads } = config;
  const options = { ...decay, method, device, threads, out: o };
  return {
    poison: () => poison(o.data, config.dtype),
    call: () => void linearAttention(q, k, v, options),
    output: () => denseOperand(o),
    close: () => undefined,
  };
}

/** A method that comes with the library, or `auto`. */
export function builtinContestant(method: string): Contestant {
  const chosen = (config: Config): string => explanationOf(config).chosen;
  return {
    name: method,
    origin: "built in",
    wrong: null,
    loose: 1,
    deviceFor: ({ device }) => device,
    refusal: () => null,
    ...(method === "auto" && { chosen }),
    predict(config) {
      const { methods, chosen } = explanationOf(config);
      const { seconds, memory, flops, bytes } = methods.find((cost) =>
        cost.method === (method === "auto" ? chosen : method)
      )!;
      return { seconds, workspace: memory, flops, bytes };
    },
    open: (config, inputs) => libraryBout(method, config.device, config, inputs),
  };
}

/** Gives back the scratch memory that the library keeps, so that the next call shows what it needs. */
export function releaseWorkspace(): void {
  openNative().workspaceRelease();
}
