/** The tensors and settings of `leet run`, from a safetensors file or from .npy files. @module */

import { DTYPES, fromFloats, toFloat32 } from "../dtype.ts";
import { LeetError, show } from "../errors.ts";
import { readNpyFile, readSafetensorsFile } from "../io/files.ts";
import type { StoredTensor } from "../io/stored.ts";
import { Tensor } from "../tensor.ts";
import type { AttentionOptions, DType, Layout } from "../types.ts";
import { type Arguments, editDistance, usageError } from "./args.ts";

/** Tensors by their names in a safetensors file, and the library's names for them. */
const ROLES = {
  q: "q",
  k: "k",
  v: "v",
  decay: "decay",
  log_decay: "logDecay",
  log_gates: "logGates",
  initial_state: "initialState",
  cu_seqlens: "cuSeqlens",
} as const;

type Role = keyof typeof ROLES;

/** Every role, in the order of the help text. */
export const roles: readonly Role[] = Object.keys(ROLES) as Role[];

/** Tensors that a file may hold beside its inputs: what an earlier run wrote. */
const OUTPUTS: readonly string[] = ["o", "final_state"];

/** The option that gives a role as a .npy file. */
export function optionOf(role: Role): string {
  return role.replaceAll("_", "-");
}

/** One tensor as given. */
interface Given {
  /** What messages call it: its name in the file, or option and path. */
  readonly label: string;
  readonly tensor: StoredTensor;
}

/** What `leet run` computes with. */
export interface Inputs {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  /** Decay, state, cuSeqlens, layout and scale. */
  readonly options: AttentionOptions;
  readonly dtype: DType;
  readonly layout: Layout;
  readonly scale: number;
  /** Puts the names that the user gave into an error of the library. */
  relabel(error: LeetError): LeetError;
}

const STORED_DTYPES: Readonly<Record<string, DType>> = { F32: "f32", F16: "f16", BF16: "bf16" };

/**
 * Reads what the arguments name.
 * @throws LeetError USAGE when the arguments contradict each other, or what is wrong with a file
 */
export function readInputs({ positionals, values }: Arguments): Inputs {
  const [path] = positionals;
  const named = roles.filter((role) => values[optionOf(role)] !== undefined);
  if (path !== undefined && named.length > 0) {
    throw usageError(
      `expected either IN.safetensors or .npy files, got ${show(path)} and --${optionOf(named[0])}`,
    );
  }
  if (path === undefined && named.length === 0) {
    throw usageError("expected IN.safetensors, or .npy files with --q, --k and --v");
  }
  const scaleOption = values.scale === undefined ? undefined : readNumber(values.scale);
  if (scaleOption !== undefined && !Number.isFinite(scaleOption)) {
    throw usageError(`--scale: expected a finite number, got ${show(values.scale)}`);
  }
  for (const role of ["q", "k", "v"] as const) {
    if (path === undefined && values[role] === undefined) throw usageError(`--${role}: missing`);
  }
  const file = path === undefined ? undefined : readSafetensorsFile(path);
  const given = file ? selectTensors(file.tensors) : readTensors(named, values);
  const metadata = file?.metadata ?? {};
  const dtype = chooseDtype(given, values.dtype as DType | undefined);
  const layout = (values.layout ?? metadata.layout ?? "bhnd") as Layout;
  if (layout !== "bhnd" && layout !== "bnhd") {
    throw new LeetError("INVALID_LAYOUT", `metadata layout: expected bhnd or bnhd, got ${show(layout)}`);
  }
  const scale = scaleOption ?? (metadata.scale === undefined ? 1 : readNumber(metadata.scale));
  if (!Number.isFinite(scale)) {
    throw new LeetError(
      "INVALID_SCALE",
      `metadata scale: expected a finite number, got ${show(metadata.scale)}`,
    );
  }
  const [q, k, v] = (["q", "k", "v"] as const).map((role) => computing(given, role, dtype));
  return {
    q,
    k,
    v,
    options: { ...optionsOf(given), layout, scale },
    dtype,
    layout,
    scale,
    relabel: (error) => relabel(error, given),
  };
}

function selectTensors(tensors: ReadonlyMap<string, StoredTensor>): Map<Role, Given> {
  const given = new Map<Role, Given>();
  for (const [name, tensor] of tensors) {
    if (Object.hasOwn(ROLES, name)) given.set(name as Role, { label: name, tensor });
    else if (!OUTPUTS.includes(name)) refuseMisspelt(name);
  }
  for (const role of ["q", "k", "v"] as const) {
    if (!given.has(role)) {
      const got = [...tensors.keys()].slice(0, 12).map(show).join(", ") || "no tensors";
      throw new LeetError("INVALID_FILE", `${role}: expected a tensor of this name, got ${got}`, {
        argument: role,
      });
    }
  }
  return given;
}

/** Other tensors are ignored, but one that was meant as a decay must not be: the result would be wrong. */
function refuseMisspelt(name: string): void {
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z]/g, "");
  const meant = roles.find((role) => role.length > 1 && editDistance(plain(name), plain(role)) <= 1);
  if (meant !== undefined) {
    throw new LeetError(
      "INVALID_FILE",
      `${show(name)}: expected a known tensor, got this name; did you mean ${meant}?`,
      {
        argument: name,
      },
    );
  }
}

function readTensors(named: readonly Role[], values: Arguments["values"]): Map<Role, Given> {
  return new Map(named.map((role) => {
    const path = values[optionOf(role)]!;
    return [role, { label: `--${optionOf(role)} ${path}`, tensor: readNpyFile(path) }];
  }));
}

/** NaN for text that is not a plain decimal number. */
function readNumber(text: string): number {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
}

function chooseDtype(given: ReadonlyMap<Role, Given>, asked: DType | undefined): DType {
  const found = (["q", "k", "v"] as const).map((role) => given.get(role)!);
  for (const { label, tensor } of found) {
    const known = STORED_DTYPES[tensor.dtype] !== undefined ||
      (tensor.dtype === "F64" && asked !== undefined);
    if (!known) {
      const hint = tensor.dtype === "F64" ? `; --dtype ${DTYPES.join(", ")} converts it` : "";
      throw new LeetError(
        "INVALID_DTYPE",
        `${label}: expected F32, F16 or BF16, got ${tensor.dtype}${hint}`,
        {
          argument: label,
        },
      );
    }
  }
  const types = found.map(({ tensor }) => tensor.dtype);
  if (asked === undefined && new Set(types).size > 1) {
    throw new LeetError(
      "INVALID_DTYPE",
      `q, k, v: expected one dtype, got ${types.join(", ")}; --dtype ${DTYPES.join(", ")} converts them`,
      { argument: "q" },
    );
  }
  return asked ?? STORED_DTYPES[types[0]];
}

/** q, k or v in the computing dtype, rounded once. */
function computing(given: ReadonlyMap<Role, Given>, role: Role, dtype: DType): Tensor {
  const { label, tensor } = given.get(role)!;
  const { shape } = tensor;
  if (STORED_DTYPES[tensor.dtype] === dtype) return new Tensor(tensor.data as Float32Array, shape, { dtype });
  return new Tensor(fromFloats(floatsOf(label, tensor), dtype), shape, { dtype });
}

/** The values of a tensor of a floating-point type, exactly. */
function floatsOf(label: string, tensor: StoredTensor): Float32Array | Float64Array {
  if (tensor.dtype === "F32" || tensor.dtype === "F64") return tensor.data;
  if (tensor.dtype === "F16") return toFloat32(tensor.data, "f16");
  if (tensor.dtype === "BF16") return toFloat32(tensor.data, "bf16");
  throw new LeetError("INVALID_DTYPE", `${label}: expected F32, F16, BF16 or F64, got ${tensor.dtype}`, {
    argument: label,
  });
}

/** Decay, state and offsets as the library takes them. Decays are float32 in every computation. */
function optionsOf(given: ReadonlyMap<Role, Given>): AttentionOptions {
  const options: AttentionOptions = {};
  for (const [role, { label, tensor }] of given) {
    const { dtype, shape, data } = tensor;
    if (role === "decay" || role === "log_decay") {
      options[ROLES[role]] = floatsOf(label, oneAxis(label, tensor, "[H]"));
    } else if (role === "log_gates") {
      const gates = floatsOf(label, tensor);
      options.logGates = { data: gates instanceof Float32Array ? gates : new Float32Array(gates), shape };
    } else if (role === "initial_state") {
      if (dtype !== "F32") {
        throw new LeetError("INVALID_DTYPE", `${label}: expected F32, got ${dtype}`, { argument: label });
      }
      options.initialState = { data, shape };
    } else if (role === "cu_seqlens") {
      if (dtype !== "I64" && dtype !== "I32") {
        throw new LeetError("INVALID_DTYPE", `${label}: expected I64, got ${dtype}`, { argument: label });
      }
      options.cuSeqlens = oneAxis(label, tensor, "[S+1]").data as BigInt64Array | Int32Array;
    }
  }
  return options;
}

function oneAxis(label: string, tensor: StoredTensor, axes: string): StoredTensor {
  if (tensor.shape.length !== 1) {
    throw new LeetError("INVALID_SHAPE", `${label}: expected shape ${axes}, got [${tensor.shape}]`, {
      argument: label,
    });
  }
  return tensor;
}

function relabel(error: LeetError, given: ReadonlyMap<Role, Given>): LeetError {
  const role = roles.find((name) => ROLES[name] === error.argument);
  const label = role && given.get(role)?.label;
  if (role === undefined || label === undefined || !error.message.startsWith(`${ROLES[role]}:`)) return error;
  const message = label + error.message.slice(ROLES[role].length);
  return new LeetError(error.code, message, { argument: label, cause: error });
}
