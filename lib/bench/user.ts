/** Methods of a user: a TypeScript module, or a function in a shared library. @module */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type ForeignFunction, openForeign } from "../../ffi/foreign.ts";
import type { Memory } from "../../ffi/native.ts";
import { SYMBOLS } from "../../ffi/symbols.ts";
import { linearAttention } from "../attention.ts";
import { parseDevice } from "../device.ts";
import { errorOfStatus, LeetError, show } from "../errors.ts";
import type { HeadMethod } from "../head.ts";
import { fillHeader, newParams, type Params } from "../native_call.ts";
import { registerMethod, unregisterMethod } from "../register.ts";
import type { Tensor } from "../tensor.ts";
import type { DecayOptions, DType } from "../types.ts";
import type { DecayForm } from "../decay_form.ts";
import { type Config, usefulFlops } from "./config.ts";
import { type Contestant, libraryBout } from "./contestant.ts";
import { inputBytes, poison } from "./inputs.ts";
import { denseOperand } from "./sample.ts";
import { sweep, type SweepCall, type SweepReport, type SweepRunner } from "./sweep.ts";

/** A user's method, checked. */
export interface UserMethod {
  readonly contestant: Contestant;
  readonly report: SweepReport;
  /** Forgets it. */
  close(): void;
}

/** What {@linkcode loadScript} and {@linkcode loadSymbol} need to know of the run. */
export interface UserSettings {
  /** Storage types to check. */
  readonly dtypes: readonly DType[];
  readonly threads: number;
}

function mustExist(path: string, argument: string): string {
  const file = resolve(path);
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  throw new LeetError("NOT_FOUND", `${argument}: no such file: ${path}`, { argument });
}

/** What both kinds have in common; times are predicted from the sweep. */
function userContestant(
  name: string,
  device: string,
  { secondsPerUnit, failures }: SweepReport,
  open: Contestant["open"],
): Contestant {
  return {
    name,
    origin: "user",
    wrong: failures.length > 0 ? failures[0] : null,
    loose: 1,
    deviceFor: () => device,
    refusal: () => null,
    predict: (config) => {
      const flops = usefulFlops(config);
      return { seconds: flops / 4 * secondsPerUnit, workspace: null, flops: null, bytes: inputBytes(config) };
    },
    open,
  };
}

/**
 * Loads a TypeScript or JavaScript module that exports `name` and `run`, a {@linkcode HeadMethod}: it computes one head of
 * one sequence on dense Float32Arrays.
 *
 * @throws LeetError NOT_FOUND, INVALID_FILE for a module that does not load or lacks an export, INVALID_METHOD for its name
 */
export async function loadScript(path: string, settings: UserSettings): Promise<UserMethod> {
  const { href } = pathToFileURL(mustExist(path, "--method"));
  let module: { name?: unknown; run?: unknown };
  try {
    module = await import(href);
  } catch (cause) {
    throw new LeetError("INVALID_FILE", `--method ${path}: ${(cause as Error).message}`, { cause });
  }
  const { name, run } = module;
  if (typeof name !== "string" || typeof run !== "function") {
    const got = `name ${show(name)} and run ${show(run)}`;
    throw new LeetError(
      "INVALID_FILE",
      `--method ${path}: expected exports name (a string) and run (a function), got ${got}`,
    );
  }
  registerMethod({ name, head: run as HeadMethod<Float32Array> });
  const runner: SweepRunner = ({ q, k, v, options, o, finalState }) =>
    void linearAttention(q, k, v, {
      ...options,
      method: name,
      out: o,
      outFinalState: finalState ?? undefined,
    });
  try {
    const report = await sweep(settings.dtypes, settings.threads, runner);
    const contestant = userContestant(
      name,
      "reference",
      report,
      (config, inputs) => libraryBout(name, "auto", config, inputs),
    );
    return { contestant, report, close: () => void unregisterMethod(name) };
  } catch (error) {
    unregisterMethod(name);
    throw error;
  }
}

/**
 * Loads a C function with the signature of `leet_forward`, given as `FILE:SYMBOL`. It gets dense bhnd arrays: all strides
 * and lengths of leet_params are zero, S is 0, cu_seqlens is NULL. It returns 0, or a status of leet.h with a reason in
 * `message`; 2xxx means that it does not support the call.
 *
 * @throws LeetError NOT_FOUND, LIBRARY_NOT_FOUND or PERMISSION_DENIED
 */
export async function loadSymbol(spec: string, settings: UserSettings): Promise<UserMethod> {
  const at = spec.lastIndexOf(":");
  const [path, symbol] = [spec.slice(0, at), spec.slice(at + 1)];
  if (at <= 0 || !/^[A-Za-z_]\w*$/.test(symbol)) {
    throw new LeetError("USAGE", `--method-so: expected FILE:SYMBOL, got ${show(spec)}`);
  }
  const file = mustExist(path, "--method-so");
  const parameters = SYMBOLS.leet_forward.parameters.map(() => "buffer" as const);
  const forward = openForeign(file, { [symbol]: { parameters, result: "i32" } })[symbol];
  const runner: SweepRunner = (call) => callForward(forward, newParams(), headerOf(call), call);
  const report = await sweep(settings.dtypes, settings.threads, runner);
  const contestant = userContestant(symbol, "cpu", report, (config, inputs) => {
    const params = newParams();
    const header = { ...config, decayForm: config.decay, scale: 1 };
    const call = { ...inputs, options: inputs.decay, finalState: null };
    return {
      poison: () => poison(inputs.o.data, config.dtype),
      call: () => callForward(forward, params, header, call),
      output: () => denseOperand(inputs.o),
      close: () => undefined,
    };
  });
  return { contestant, report, close: () => undefined };
}

type Header = Pick<Config, "B" | "H" | "Hkv" | "N" | "dk" | "dv" | "dtype" | "threads"> & {
  readonly decayForm: DecayForm;
  readonly scale: number;
};

function decayOf(
  { decay, logDecay, logGates }: DecayOptions,
): [form: DecayForm, values: Float32Array | null] {
  if (decay) return ["decay", decay as Float32Array];
  if (logDecay) return ["logDecay", logDecay as Float32Array];
  return logGates ? ["logGates", logGates as Float32Array] : ["none", null];
}

function headerOf({ q, k, v, options }: SweepCall): Header {
  const [B, H, N, dk] = q.shape;
  const { scale = 1, threads = 0 } = options;
  const [decayForm] = decayOf(options);
  return { B, H, Hkv: k.shape[1], N, dk, dv: v.shape[3], dtype: q.dtype, threads, decayForm, scale };
}

/** NULL for nothing and for no elements, under every runtime. */
function pointer(memory: Float32Array | null | undefined): Memory {
  return memory && memory.length > 0 ? memory : null;
}

/** The elements of a dense tensor, from its first. */
function memoryOf({ data, offset, size }: Tensor): Memory {
  return pointer((data as Float32Array).subarray(offset, offset + size));
}

type ForwardCall = Pick<SweepCall, "q" | "k" | "v" | "o" | "options" | "finalState">;

function callForward(
  forward: ForeignFunction,
  params: Params,
  header: Header,
  { q, k, v, o, options, finalState }: ForwardCall,
): void {
  fillHeader(params, { ...header, layout: "bhnd", S: 0, method: "auto", device: parseDevice("cpu") });
  const status = Number(forward(
    params.bytes,
    memoryOf(q),
    memoryOf(k),
    memoryOf(v),
    pointer(decayOf(options)[1]),
    null,
    pointer(options.initialState as Float32Array | undefined),
    memoryOf(o),
    pointer(finalState),
  ));
  if (status !== 0) throw errorOfStatus(status, params.text("message"));
}
