/** How arguments reach C, against a library that reports what it was called with. */
import { beforeAll, describe, expect, test } from "vitest";
import { bunLibrary } from "../../ffi/bun.ts";
import { denoLibrary } from "../../ffi/deno.ts";
import {
  type ForwardArrays,
  type Library,
  makeNative,
  type Memory,
  type Native,
  parameterTypes,
} from "../../ffi/native.ts";
import { builtin, runtimeName } from "../../ffi/runtime.ts";
import { Struct } from "../../ffi/struct.ts";
import { LEET_COST, LEET_DEVICE_INFO, LEET_METHOD_INFO, LEET_PARAMS, SYMBOLS } from "../../ffi/symbols.ts";
import { LeetError } from "../../lib/errors.ts";
import { compileProbe } from "./compile.ts";

const READ_Q_AND_K = 1;

let library: Library, native: Native;
beforeAll(() => {
  const path = compileProbe();
  library = runtimeName() === "deno" ? denoLibrary(path) : bunLibrary(path, builtin("bun:ffi")!);
  native = makeNative(library);
});

const NONE: ForwardArrays = [null, null, null, null, null, null, null, null];

/** The eight addresses that the probe saw. */
const addresses = (params: Struct<typeof LEET_PARAMS>): bigint[] =>
  params.text("message").split(",").map((hex) => BigInt(`0x${hex}`));

const detached = (): Float32Array => {
  const view = new Float32Array(4);
  view.buffer.transfer();
  return view;
};

const resizable = (): Float32Array => new Float32Array(new ArrayBuffer(16, { maxByteLength: 32 }));

describe("forward", () => {
  test("hands every array over in its own place", () => {
    const params = new Struct(LEET_PARAMS);
    for (let given = 0; given < 8; given++) {
      const arrays = NONE.map((_, index) => index === given ? new Float32Array(4) : null) as ForwardArrays;
      native.forward(params.bytes, ...arrays);
      expect(addresses(params).map((address) => address !== 0n)).toEqual(
        arrays.map((array) => array !== null),
      );
    }
  });

  test("honours the offset of a view and writes into the caller's array", () => {
    const params = new Struct(LEET_PARAMS);
    params.set("flags", READ_Q_AND_K);
    const all = Float32Array.from({ length: 64 }, (_, index) => index);
    const o = new Float32Array(8).fill(-1);
    const q = all.subarray(5), k = new DataView(all.buffer, 4 * 7);
    native.forward(params.bytes, q, k, null, null, null, null, o.subarray(3), null);
    expect([...o]).toEqual([-1, -1, -1, 12, -1, -1, -1, -1]);
    const [seenQ, seenK] = addresses(params);
    expect(seenK - seenQ).toBe(8n);
  });

  test.each<[string, () => Memory]>([
    ["Float32Array", () => new Float32Array(4)],
    ["Uint16Array", () => new Uint16Array(4)],
    ["BigInt64Array", () => new BigInt64Array(4)],
    ["DataView", () => new DataView(new ArrayBuffer(4))],
    ["a view of shared memory", () => new Float32Array(new SharedArrayBuffer(16))],
    ["a view of resizable memory", resizable],
    ["a view of wasm memory", () => new Float32Array(new WebAssembly.Memory({ initial: 1 }).buffer)],
  ])("takes a %s", (_, make) => {
    const params = new Struct(LEET_PARAMS);
    native.forward(params.bytes, make(), null, null, null, null, null, null, null);
    expect(addresses(params)[0]).not.toBe(0n);
  });

  test.each<[string, () => Memory]>([
    ["null", () => null],
    ["undefined", () => undefined as unknown as null],
    ["an empty array", () => new Float32Array(0)],
    ["an empty view into memory", () => new Float32Array(4).subarray(2, 2)],
    ["a detached array", detached],
  ])("passes NULL for %s, under every runtime", (_, make) => {
    const params = new Struct(LEET_PARAMS);
    native.forward(params.bytes, make(), null, null, null, null, null, make(), make());
    expect(addresses(params)).toEqual([0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
  });

  test("a missing argument is NULL", () => {
    const params = new Struct(LEET_PARAMS);
    (native.forward as (params: Uint8Array) => number)(params.bytes);
    expect(addresses(params)).toEqual([0n, 0n, 0n, 0n, 0n, 0n, 0n, 0n]);
  });

  test("returns the status, negative ones too", () => {
    const params = new Struct(LEET_PARAMS);
    for (const status of [0, 1007, -1, 2 ** 31 - 1, -(2 ** 31)]) {
      params.set("device_index", status);
      expect(native.forward(params.bytes, ...NONE)).toBe(status);
    }
  });
});

describe("raw symbols", () => {
  test("64-bit parameters keep their 64 bits", () => {
    const job = new BigUint64Array(1), wait = new BigInt64Array(1);
    library.symbol("leet_job_poll")(0xfedcba9876543210n, -0x123456789abcdef0n, job, wait);
    expect([job[0], wait[0]]).toEqual([0xfedcba9876543210n, -0x123456789abcdef0n]);
  });

  test("only tensor memory changes its type between host and device", () => {
    const spec = { parameters: ["buffer", "array", "i32", "u64", "f64"], result: "i32" } as const;
    expect(parameterTypes(spec, "ptr", "host")).toEqual(["ptr", "ptr", "i32", "u64", "f64"]);
    expect(parameterTypes(spec, "ptr", "device")).toEqual(["ptr", "u64", "i32", "u64", "f64"]);
  });

  test("a decay may be host memory where the other tensors are not", () => {
    const mixed = parameterTypes(SYMBOLS.leet_forward, "ptr", "mixed");
    expect(mixed).toEqual(["ptr", "u64", "u64", "u64", "ptr", "ptr", "u64", "u64", "u64"]);
    const params = new Struct(LEET_PARAMS);
    for (const decay of [64n, new Float32Array(4)]) {
      native.forward(params.bytes, 16n, 32n, 48n, decay, null, 0n, 96n, 1n << 63n);
      const seen = addresses(params);
      expect(seen.toSpliced(3, 1)).toEqual([16n, 32n, 48n, 0n, 0n, 96n, 1n << 63n]);
      if (typeof decay === "bigint") expect(seen[3]).toBe(decay);
      else expect([0n, 64n]).not.toContain(seen[3]);
    }
  });

  test("addresses go to another thread too", async () => {
    const params = new Struct(LEET_PARAMS), decay = new Float32Array(4);
    for (const given of [8n, decay]) {
      expect(await native.forwardAsync(params.bytes, 16n, 32n, 48n, given, null, 80n, 96n, 0n)).toBe(0);
      expect(addresses(params).toSpliced(3, 1)).toEqual([16n, 32n, 48n, 0n, 80n, 96n, 0n]);
    }
  });

  test("the same symbol takes tensors as device addresses", () => {
    const params = new Struct(LEET_PARAMS), cuSeqlens = new BigInt64Array(2);
    const given = [0xffff800000000010n, 32n, 48n, 0n, cuSeqlens, 80n, 96n, 0n];
    library.symbol("leet_forward", "device")(params.bytes, ...given);
    const expected = [0xffff800000000010n, 32n, 48n, 0n, addresses(params)[4], 80n, 96n, 0n];
    expect(addresses(params)).toEqual(expected);
    expect(addresses(params)[4]).not.toBe(0n);
  });
});

describe("the other calls", () => {
  test("fill the structs they are given", () => {
    const params = new Struct(LEET_PARAMS), cost = new Struct(LEET_COST);
    params.set("N", 2 ** 40);
    expect(native.estimate(params.bytes, cost.bytes)).toBe(0);
    expect(cost.get("flops")).toBe(2 ** 40);
    const device = new Struct(LEET_DEVICE_INFO), method = new Struct(LEET_METHOD_INFO);
    expect(native.deviceGet(-3, device.bytes)).toBe(0);
    expect([device.get("device_index"), device.text("name")]).toEqual([-3, "probe -3"]);
    expect(native.methodGet(5, method.bytes)).toBe(0);
    expect(method.get("method")).toBe(5);
  });

  test("copy text and numbers out", () => {
    expect(native.version()).toEqual({ text: "0.0.0 probe", abi: 1 });
    expect(native.statusText(-7)).toMatch(/^-7 of \d+ bytes$/);
    expect(native.workspaceBytes()).toBe(2 ** 40);
    expect(native.workspaceRelease()).toBe(undefined);
  });

  test("a refusal is a LeetError", () => {
    expect(() => native.statusText(12345)).toThrow(LeetError);
    expect(() => native.statusText(12345)).toThrow(
      expect.objectContaining({ code: "INVALID_INDEX", status: 1017 }),
    );
  });
});

describe("forwardAsync", () => {
  const slow = (ms: number): Struct<typeof LEET_PARAMS> => {
    const params = new Struct(LEET_PARAMS);
    params.set("threads", ms);
    params.set("flags", READ_Q_AND_K);
    return params;
  };

  test("leaves the event loop free while it runs, and several run at once", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const start = performance.now();
    const outputs = await Promise.all([1, 2, 3, 4].map(async (value) => {
      const o = new Float32Array(1), one = new Float32Array([value]);
      const status = await native.forwardAsync(slow(300).bytes, one, one, null, null, null, null, o, null);
      return [status, o[0]];
    }));
    const elapsed = performance.now() - start;
    clearInterval(timer);
    expect(outputs).toEqual([[0, 2], [0, 4], [0, 6], [0, 8]]);
    expect(elapsed).toBeGreaterThan(290);
    expect(elapsed).toBeLessThan(1100);
    expect(ticks).toBeGreaterThan(15);
  });

  test("works on its own copy of params and writes the outputs back at the end", async () => {
    const params = slow(50), value = new Float32Array([3]), o = new Float32Array(1);
    const pending = native.forwardAsync(params.bytes, value, value, null, null, null, null, o, null);
    params.set("flags", 0);
    params.set("device_index", 1007);
    expect(params.text("message")).toBe("");
    expect(await pending).toBe(0);
    expect(o[0]).toBe(6);
    expect(addresses(params)[0]).not.toBe(0n);
    expect(params.get("method_used")).toBeGreaterThan(0);
  });

  test("resolves with a refusal, whether found at the start or at the end", async () => {
    const params = new Struct(LEET_PARAMS);
    params.set("device_index", 1014);
    expect(await native.forwardAsync(params.bytes, ...NONE)).toBe(1014);
    if (runtimeName() === "deno") return;
    params.bytes[0] = 1;
    expect(await native.forwardAsync(params.bytes, ...NONE)).toBe(1002);
  });

  test.each<[string, () => Memory]>([["detached", detached], ["resizable", resizable]])(
    "rejects a %s array and names it",
    async (problem, make) => {
      const call = native.forwardAsync(slow(0).bytes, null, null, make(), null, null, null, null, null);
      await expect(call).rejects.toThrow(expect.objectContaining({ code: "INVALID_BUFFER", argument: "v" }));
      await expect(call).rejects.toThrow(problem);
    },
  );

  test("rejects when an array is detached while the call runs", async () => {
    const value = new Float32Array([1]), o = new Float32Array(1024);
    const call = native.forwardAsync(slow(50).bytes, value, value, null, null, null, null, o, null);
    const moved = o.buffer.transfer();
    await expect(call).rejects.toThrow(
      expect.objectContaining({
        code: "INVALID_BUFFER",
        argument: "o",
        message: expect.stringContaining("detached"),
      }),
    );
    expect(moved.byteLength).toBe(4096);
  });

  if (runtimeName() === "bun") {
    test.runIf(runtimeName() === "bun")(
      "under Bun, waits on the spot once it sees a detached array",
      async () => {
        const value = new Float32Array([1]), o = new Float32Array(1);
        const call = native.forwardAsync(slow(200).bytes, value, value, null, null, null, null, o, null);
        const rejected = expect(call).rejects.toThrow(
          expect.objectContaining({ code: "INVALID_BUFFER", argument: "q" }),
        );
        const start = performance.now();
        value.buffer.transfer();
        await new Promise((resolve) => setTimeout(resolve, 20));
        expect(performance.now() - start).toBeGreaterThan(150);
        await rejected;
      },
    );
  }

  test("small arrays stay in place when their buffer is first asked for while the call runs", async () => {
    const q = new Float32Array([40]), k = new Float32Array([2]), o = new Float32Array(1);
    const call = native.forwardAsync(slow(50).bytes, q, k, null, null, null, null, o, null);
    const buffers = [q, k, o].map((array) => array.buffer);
    expect(await call).toBe(0);
    expect([o[0], new Float32Array(buffers[2])[0]]).toEqual([42, 42]);
  });

  test("keeps arrays alive that nothing else refers to", async () => {
    const o = new Float32Array(1);
    const collect = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };
    const call = native.forwardAsync(
      slow(100).bytes,
      new Float32Array(1 << 20).fill(20),
      new Float32Array(1 << 20).fill(22),
      null,
      null,
      null,
      null,
      o,
      null,
    );
    for (let round = 0; round < 20; round++) {
      collect.gc?.();
      collect.Bun?.gc(true);
      new Float32Array(1 << 20).fill(7);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(await call).toBe(0);
    expect(o[0]).toBe(42);
  });
});
