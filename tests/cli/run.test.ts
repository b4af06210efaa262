import { existsSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { readFile, readNpyFile, readSafetensorsFile } from "../../lib/io/files.ts";
import { writeNpy } from "../../lib/io/npy.ts";
import type { StoredTensor } from "../../lib/io/stored.ts";
import { linearAttention, methods, openLibrary, verify } from "../../lib/mod.ts";
import type { AttentionOptions, DType, Layout } from "../../lib/types.ts";
import { noise } from "../lib/problems.ts";
import {
  asTensor,
  leet,
  numbersOf,
  operands,
  SIZES,
  stored,
  temporaryFolder,
  writeInput,
} from "./workspace.ts";

const path = temporaryFolder();
const { B, H, N, dk, dv } = SIZES;

beforeAll(async () => {
  await openLibrary();
});

/** Forms of decay: the tensor for the file, and the option of the library. */
function decayOf(
  form: string,
  layout: Layout,
  batch: number,
): { tensors: Record<string, StoredTensor>; options: AttentionOptions } {
  const decay = Float32Array.of(0.97, 1, 0, 0.5);
  const logs = Float32Array.of(-0.01, -3, 0, -Infinity);
  const gates = noise(batch * H * N, 5).map((x) => x > 0.9 ? -Infinity : -Math.abs(x));
  const shape = layout === "bhnd" ? [batch, H, N] : [batch, N, H];
  return {
    none: { tensors: {}, options: {} },
    decay: { tensors: { decay: stored(decay, [H]) }, options: { decay } },
    log_decay: { tensors: { log_decay: stored(logs, [H]) }, options: { logDecay: logs } },
    log_gates: { tensors: { log_gates: stored(gates, shape) }, options: { logGates: gates } },
  }[form]!;
}

const forms = ["none", "decay", "log_decay", "log_gates"];
const combinations = (["f32", "f16", "bf16"] as DType[]).flatMap((dtype) =>
  (["bhnd", "bnhd"] as Layout[]).flatMap((layout) =>
    forms.flatMap((form) =>
      ["zeros", "state", "ragged", "ragged state"].map((start) => [dtype, layout, form, start] as const)
    )
  )
);

describe("results against the float64 recurrence", () => {
  test.each(combinations)("%s %s decay form %s start %s", async (dtype, layout, form, start) => {
    const ragged = start.includes("ragged");
    const batch = ragged ? 1 : B;
    const { q, k, v } = operands(dtype, layout, batch);
    const decay = decayOf(form, layout, batch);
    const offsets = BigInt64Array.of(0n, 5n, 5n, BigInt(N));
    const sequences = ragged ? 3 : batch;
    const state = noise(sequences * H * dk * dv, 7);
    const input = writeInput(path("in.safetensors"), {
      q,
      k,
      v,
      ...decay.tensors,
      ...(start.includes("state") && { initial_state: stored(state, [sequences, H, dk, dv]) }),
      ...(ragged && { cu_seqlens: { dtype: "I64", shape: [4], data: offsets } as const }),
    }, { scale: "0.25", layout });
    const options: AttentionOptions = {
      ...decay.options,
      layout,
      scale: 0.25,
      ...(start.includes("state") && { initialState: state }),
      ...(ragged && { cuSeqlens: offsets }),
    };
    for (const device of ["reference", "cpu"]) {
      const ended = await leet(
        "run",
        input,
        "--out",
        path("out"),
        "--device",
        device,
        "--method",
        "recurrent",
        "--json",
      );
      expect(ended).toMatchObject({ code: 0, err: [] });
      expect(JSON.parse(ended.out[0])).toEqual({
        method: "recurrent",
        device,
        dtype,
        shape: { ...SIZES, B: batch, ...(ragged && { S: 3 }) },
        layout,
        decay: form.replace(/_(.)/, (_, c) => c.toUpperCase()),
        scale: 0.25,
        ms: expect.any(Number),
        out: path("out"),
      });
      const { tensors, metadata } = readSafetensorsFile(path("out"));
      expect([...tensors.keys()].sort()).toEqual(["final_state", "o"]);
      expect(metadata).toEqual({ layout, method: "recurrent", device });
      const [o, finalState] = [asTensor(tensors.get("o")!), asTensor(tensors.get("final_state")!)];
      expect([o.dtype, finalState.dtype]).toEqual([dtype, "f32"]);
      expect(verify({ o, finalState }, asTensor(q), asTensor(k), asTensor(v), options)).toMatchObject({
        ok: true,
      });
    }
  });
});

describe("settings", () => {
  const f32 = operands();

  const everyMethod = ["reference", "cpu"].flatMap((device) =>
    ["auto", ...methods().map(({ name }) => name)].map((method) => [device, method])
  );

  test.each(everyMethod)("on %s, method %s gives what the library gives", async (device, method) => {
    const input = writeInput(path("in"), { ...f32, decay: stored(Float32Array.of(1, 0.9, 0.5, 0), [H]) });
    const settings = ["--method", method, "--device", device, "--json"];
    const { code, out } = await leet("run", input, "--out", path("out"), ...settings);
    const [q, k, v] = [f32.q, f32.k, f32.v].map(asTensor);
    const decay = [1, 0.9, 0.5, 0];
    const right = linearAttention(q, k, v, { decay, device, method, outputFinalState: true });
    expect([code, JSON.parse(out[0]).method]).toEqual([0, right.method]);
    const { tensors } = readSafetensorsFile(path("out"));
    expect(tensors.get("o")!.data).toEqual(right.o.data);
    expect(tensors.get("final_state")!.data).toEqual(right.finalState!.data);
    expect(verify(right, q, k, v, { decay }).ok).toBe(true);
  });

  test("--scale and --layout go before the metadata, --threads and auto are passed on", async () => {
    const input = writeInput(path("in"), operands("f32", "bnhd"), { scale: "1e-3", layout: "bhnd" });
    const ended = await leet(
      "run",
      input,
      "--out",
      path("out"),
      "--scale=-0.5",
      "--layout=bnhd",
      "--threads",
      "1",
      "--json",
    );
    expect(ended.err).toEqual([]);
    expect(JSON.parse(ended.out[0])).toMatchObject({ scale: -0.5, layout: "bnhd", device: "cpu" });
    const { q, k, v } = operands("f32", "bnhd");
    const o = asTensor(readSafetensorsFile(path("out")).tensors.get("o")!);
    expect(verify({ o }, asTensor(q), asTensor(k), asTensor(v), { layout: "bnhd", scale: -0.5 }).ok).toBe(
      true,
    );
  });

  test("without --json two lines say what ran and what was written", async () => {
    const ended = await leet(
      "run",
      writeInput(path("in"), f32),
      "--out",
      path("out"),
      "--device",
      "reference",
      "--method",
      "fleet",
    );
    expect(ended).toMatchObject({ code: 0, err: [] });
    expect(ended.out).toHaveLength(2);
    expect(ended.out[0]).toMatch(/^fleet on reference, f32 bhnd, B=2 H=4 Hkv=2 N=21 dk=5 dv=3: [\d.e-]+ ms$/);
    expect(ended.out[1]).toBe(`wrote ${path("out")}`);
  });

  test.each<[string, DType, DType]>([
    ["F32", "f32", "f16"],
    ["F32", "f32", "bf16"],
    ["F16", "f16", "f32"],
    ["BF16", "bf16", "f16"],
  ])("%s converted to %s computes in that dtype", async (_, from, to) => {
    const given = operands(from);
    await leet(
      "run",
      writeInput(path("in"), given),
      "--out",
      path("out"),
      "--dtype",
      to,
      "--device",
      "reference",
    );
    const [q, k, v] = [given.q, given.k, given.v].map((tensor) => asTensor(tensor).cast(to));
    const right = linearAttention(q, k, v, { device: "reference", method: "recurrent" });
    const o = readSafetensorsFile(path("out")).tensors.get("o")!;
    expect(o.dtype).toBe(to.toUpperCase());
    expect(numbersOf(o)).toEqual(right.o.toFloat32());
  });

  test("mixed dtypes and float64 need --dtype, and float64 is rounded once", async () => {
    const q64 = new Float64Array(f32.q.data.length).fill(1 + 2 ** -11 + 2 ** -40);
    const mixed = { ...operands("bf16"), q: { dtype: "F64", shape: f32.q.shape, data: q64 } as const };
    const ended = await leet(
      "run",
      writeInput(path("in"), mixed),
      "--out",
      path("out"),
      "--device",
      "reference",
    );
    expect(ended.code).toBe(1);
    expect(ended.err[0]).toContain(
      "q: expected F32, F16 or BF16, got F64; --dtype f32, f16, bf16 converts it",
    );
    expect(
      (await leet("run", path("in"), "--out", path("out"), "--dtype", "f16", "--device", "reference")).code,
    ).toBe(0);
    // Through float32 the sum would become a tie, and then 1.
    const q = new Float32Array(q64.length).fill(1 + 2 ** -10);
    const right = linearAttention(
      asTensor(stored(q, [...f32.q.shape], "f16")),
      asTensor(mixed.k).cast("f16"),
      asTensor(mixed.v).cast("f16"),
      { device: "reference", method: "recurrent" },
    );
    expect(numbersOf(readSafetensorsFile(path("out")).tensors.get("o")!)).toEqual(right.o.toFloat32());
  });

  test("the output replaces the input when both are one file", async () => {
    const input = writeInput(path("same"), f32);
    expect((await leet("run", input, "--out", input, "--device", "reference")).code).toBe(0);
    expect([...readSafetensorsFile(input).tensors.keys()].sort()).toEqual(["final_state", "o"]);
  });

  test("an earlier output in the file is ignored, so a run can be repeated on an extended file", async () => {
    const extra = { o: f32.v, final_state: f32.v, weights: f32.q };
    const input = writeInput(path("in"), { ...f32, ...extra });
    expect((await leet("run", input, "--out", path("out"), "--device", "reference")).code).toBe(0);
  });

  test.each([[0, 3], [1, 1]])("N = %i, B = %i", async (tokens, batch) => {
    const empty = (heads: number, dim: number) =>
      stored(noise(batch * heads * tokens * dim, 1), [batch, heads, tokens, dim]);
    const state = stored(noise(batch * 2 * 4, 2), [batch, 2, 2, 2]);
    const input = writeInput(path("in"), {
      q: empty(2, 2),
      k: empty(2, 2),
      v: empty(2, 2),
      initial_state: state,
    });
    for (const device of ["reference", "cpu"]) {
      expect(
        (await leet("run", input, "--out", path("out"), "--device", device, "--method", "recurrent")).code,
      ).toBe(0);
      const { tensors } = readSafetensorsFile(path("out"));
      expect(tensors.get("o")!.shape).toEqual([batch, 2, tokens, 2]);
      if (tokens === 0) expect(tensors.get("final_state")!.data).toEqual(state.data);
    }
  });
});

describe(".npy files", () => {
  function npy(name: string, tensor: StoredTensor): string {
    writeFileSync(path(name), writeNpy(tensor));
    return path(name);
  }

  test.each(["f32", "f16"] as DType[])(
    "%s triples give the bytes that a safetensors file gives",
    async (dtype) => {
      const { q, k, v } = operands(dtype, "bnhd", 1);
      const gates = stored(noise(N * H, 5).map((x) => -Math.abs(x)), [1, N, H]);
      const state = stored(noise(2 * H * dk * dv, 7), [2, H, dk, dv]);
      const offsets = { dtype: "I64", shape: [3], data: BigInt64Array.of(0n, 9n, BigInt(N)) } as const;
      const tensors = { q, k, v, log_gates: gates, initial_state: state, cu_seqlens: offsets };
      const input = writeInput(path("in"), tensors, { scale: "0.5", layout: "bnhd" });
      expect((await leet("run", input, "--out", path("out"), "--device", "reference")).code).toBe(0);
      const files = Object.entries(tensors).flatMap((
        [name, tensor],
      ) => [`--${name.replace("_", "-")}`, npy(`${name}.npy`, tensor)]);
      const settings = ["--scale", "0.5", "--layout", "bnhd", "--device", "reference"];
      const ended = await leet(
        "run",
        ...files,
        ...settings,
        "--out",
        path("o.npy"),
        "--final-state-out",
        path("s.npy"),
        "--json",
      );
      expect(ended.err).toEqual([]);
      expect(JSON.parse(ended.out[0])).toMatchObject({
        out: path("o.npy"),
        finalStateOut: path("s.npy"),
        decay: "logGates",
      });
      const right = readSafetensorsFile(path("out")).tensors;
      expect(readNpyFile(path("o.npy"))).toEqual(right.get("o"));
      expect(readNpyFile(path("s.npy"))).toEqual(right.get("final_state"));
      expect((await leet("run", ...files, ...settings, "--out", path("out2"))).code).toBe(0);
      expect(readFile(path("out2"))).toEqual(readFile(path("out")));
      expect((await leet("run", input, "--out", path("o2.npy"), "--device", "reference")).code).toBe(0);
      expect(readFile(path("o2.npy"))).toEqual(readFile(path("o.npy")));
    },
  );

  test("float64 decays and int32 offsets, as NumPy makes them by default", async () => {
    const { q, k, v } = operands("f32", "bhnd", 1);
    const operandFiles = ["--q", npy("q.npy", q), "--k", npy("k.npy", k), "--v", npy("v.npy", v)];
    const factors = [0.97, 1, 0, 0.5];
    const decay = npy("decay.npy", { dtype: "F64", shape: [H], data: Float64Array.from(factors) });
    const offsets = npy("offsets.npy", { dtype: "I32", shape: [2], data: Int32Array.of(0, N) });
    const ended = await leet(
      "run",
      ...operandFiles,
      "--decay",
      decay,
      "--cu-seqlens",
      offsets,
      "--out",
      path("o.npy"),
    );
    expect(ended).toMatchObject({ code: 0, err: [] });
    const o = asTensor(readNpyFile(path("o.npy")));
    expect(verify({ o }, asTensor(q), asTensor(k), asTensor(v), { decay: factors }).ok).toBe(true);
    expect(existsSync(path("s.npy"))).toBe(false);
  });

  test("bf16 cannot be written, and is refused before anything is computed", async () => {
    const ended = await leet("run", writeInput(path("in"), operands("bf16")), "--out", path("o.npy"));
    expect(ended).toMatchObject({ code: 1, out: [] });
    expect(ended.err).toEqual([
      `leet run: --out ${path("o.npy")}: expected a dtype that .npy can hold, got bf16; ` +
      "write .safetensors, or compute in --dtype f32 or f16",
    ]);
    expect(existsSync(path("o.npy"))).toBe(false);
  });
});
