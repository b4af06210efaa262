/** Tensors in device memory: what they hold, whose memory it is, and when it is freed. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { runtimeName } from "../../ffi/runtime.ts";
import { DeviceTensor, deviceTensor, type DType, memory, Tensor, tensor, zeros } from "../../lib/mod.ts";
import { missing, report } from "../cases/emulator.ts";
import { errorOf } from "../io/error_of.ts";
import { bits, hex, noise } from "./problems.ts";

const reason = await missing();
const used = (): number => memory("cuda:0").allocated;

const host = (dtype: DType = "f32"): Tensor => tensor(noise(2 * 3 * 4, 7), [2, 3, 4]).cast(dtype);

describe.skipIf(reason !== undefined)(`device tensors${reason ? `, skipped: ${reason}` : ""}`, () => {
  afterEach(() => {
    expect(report()).toBe("");
    expect(used()).toBe(0);
  });

  test.each<DType>(["f32", "f16", "bf16"])(
    "%s goes there and comes back with the same bits",
    async (dtype) => {
      const before = host(dtype);
      using there = before.to("cuda:0");
      expect(there).toBeInstanceOf(DeviceTensor);
      expect(there).toMatchObject({
        device: "cuda:0",
        dtype,
        shape: [2, 3, 4],
        stride: [12, 4, 1],
        offset: 0,
        size: 24,
        disposed: false,
      });
      expect(there.address % 256n).toBe(0n);
      expect(bits(there.toHost())).toBe(bits(before));
      using later = await before.toAsync("cuda");
      expect(bits(await later.toHostAsync())).toBe(bits(before));
      expect(later.address).not.toBe(there.address);
    },
  );

  test("a tensor on the cpu is itself", async () => {
    const t = host();
    expect(t.to("cpu")).toBe(t);
    expect(await t.toAsync("cpu")).toBe(t);
  });

  test("a strided part of the host goes over dense", () => {
    const all = host();
    const part = new Tensor(all.data, [2, 3, 2], { stride: [12, 4, 2], offset: 1, layout: "bhnd" });
    using there = part.to("cuda:0");
    expect(there).toMatchObject({ stride: [6, 2, 1], offset: 0, layout: "bhnd" });
    expect(bits(there.toHost())).toBe(bits(part));
    expect(there.toHost().layout).toBe("bhnd");
  });

  test("tensor and zeros take a device", () => {
    using a = tensor([1, 2, 3], [3], { device: "cuda:0", dtype: "bf16" });
    expect([...a.toHost().toFloat32()]).toEqual([1, 2, 3]);
    using b = zeros([2, 5], { device: "cuda:0", dtype: "f16", layout: "bnhd" });
    expect([...b.toHost().toFloat32()]).toEqual(new Array(10).fill(0));
    expect(b.layout).toBe("bnhd");
    using c = zeros([2, 2], { device: "cuda:0", stride: [3, 1], offset: 2 });
    expect(c).toMatchObject({ stride: [3, 1], offset: 2 });
    expect([...c.toHost().toFloat32()]).toEqual([0, 0, 0, 0]);
    expect(used()).toBe(3 * 2 + 10 * 2 + 7 * 4);
    // More than goes over the bus at a time.
    using large = zeros([3, 1 << 20], { device: "cuda:0" });
    expect(large.slice(1, (1 << 20) - 1, 1 << 20).toHost().toFloat32()).toEqual(new Float32Array(3));
  });

  test("memory counts what is there and forgets what is disposed", () => {
    const before = memory("cuda:0");
    expect(before.total).toBeGreaterThanOrEqual(before.free);
    const t = zeros([1000], { device: "cuda:0" });
    expect(memory()).toEqual({ ...before, allocated: 4000, free: before.free - 4000 });
    t.dispose();
    expect(memory("cuda")).toEqual(before);
  });

  test("using disposes at the end of the block, also when it is left by an error", () => {
    expect(() => {
      using _there = host().to("cuda:0");
      expect(used()).toBe(96);
      throw new Error("left");
    }).toThrow("left");
    expect(used()).toBe(0);
  });

  test("disposing twice is harmless; use afterwards is a typed error", async () => {
    const t = host().to("cuda:0");
    t.dispose();
    t.dispose();
    t[Symbol.dispose]();
    expect(t.disposed).toBe(true);
    const disposed = { code: "DISPOSED", argument: "tensor" };
    expect(errorOf(() => t.toHost())).toMatchObject(disposed);
    expect(errorOf(() => t.slice(0, 0, 1))).toMatchObject(disposed);
    await expect(t.toHostAsync()).rejects.toMatchObject(disposed);
    expect(String(t)).toBe("DeviceTensor f32 [2,3,4] (cuda:0, disposed)");
  });

  test("a slice is a view: it frees nothing, and ends with its tensor", () => {
    const before = host();
    const t = before.to("cuda:0");
    const part = t.slice(1, 1, 3).slice(2, 1, 4);
    expect(part).toMatchObject({ shape: [2, 2, 3], stride: [12, 4, 1], offset: 5, address: t.address });
    expect(bits(part.toHost())).toBe(bits(before.slice(1, 1, 3).slice(2, 1, 4)));
    part.dispose();
    expect(errorOf(() => part.toHost()).code).toBe("DISPOSED");
    expect(used()).toBe(96);
    const other = t.slice(0, 0, 0);
    expect(other.toHost().size).toBe(0);
    t.dispose();
    expect(other.disposed).toBe(true);
    expect(used()).toBe(0);
  });

  test("memory of others is read in place and never freed", () => {
    const before = host();
    const theirs = before.to("cuda:0");
    const ours = deviceTensor(theirs.address + 16n, [2, 2], { stride: [12, 1], offset: 1 });
    expect(bits(ours.toHost())).toBe(bits(before.slice(1, 1, 2).slice(2, 1, 3)));
    ours.dispose();
    expect(used()).toBe(96);
    expect(bits(theirs.toHost())).toBe(bits(before));
    theirs.dispose();
  });

  test("an asynchronous read outlives the disposal of its tensor", async () => {
    const before = host();
    const t = before.to("cuda:0");
    const reading = t.toHostAsync();
    t.dispose();
    expect(t.disposed).toBe(true);
    expect(bits(await reading)).toBe(bits(before));
  });

  test("empty tensors", () => {
    using t = zeros([0, 3], { device: "cuda:0" });
    expect(t.toHost().shape).toEqual([0, 3]);
  });

  test("a buffer that could move is refused", async () => {
    const data = new Float32Array(new ArrayBuffer(16, { maxByteLength: 32 }));
    await expect(new Tensor(data, [4]).toAsync("cuda:0")).rejects.toMatchObject({ code: "INVALID_BUFFER" });
  });

  test("more than the device has is a typed error that says how much", () => {
    const error = errorOf(() => zeros([2 ** 40], { device: "cuda:0" }));
    expect(error).toMatchObject({ code: "DEVICE_OUT_OF_MEMORY" });
    expect(error.message).toContain(String(2 ** 42));
    expect(report()).toContain("cuMemAlloc");
  });

  test.each<[string, string, () => unknown]>([
    ["INVALID_DEVICE", "device", () => host().to("gpu")],
    ["INVALID_DEVICE", "device", () => host().to("auto")],
    ["INVALID_DEVICE", "device", () => host().to("reference")],
    ["INVALID_ARGUMENT", "device", () => host().to(0 as unknown as string)],
    ["UNSUPPORTED_DEVICE", "deviceIndex", () => host().to("cuda:9")],
    ["INVALID_DEVICE", "device", () => memory("cpu")],
    ["INVALID_DEVICE", "device", () => zeros([1], { device: "tpu" })],
    ["INVALID_DTYPE", "dtype", () => zeros([1], { dtype: "f64" as DType, device: "cuda" })],
    ["INVALID_SHAPE", "shape", () => zeros([-1], { device: "cuda" })],
    ["INVALID_ARGUMENT", "options", () => zeros([1], "bf16" as never)],
    ["INVALID_ARGUMENT", "where", () => zeros([1], { where: 1 } as never)],
    ["INVALID_ARGUMENT", "address", () => deviceTensor(256 as unknown as bigint, [1])],
    ["INVALID_POINTER", "address", () => deviceTensor(0n, [1])],
    ["INVALID_POINTER", "address", () => deviceTensor(-4n, [1])],
    ["INVALID_ALIGNMENT", "address", () => deviceTensor(258n, [1])],
    ["INVALID_ALIGNMENT", "address", () => deviceTensor(257n, [1], { dtype: "bf16" })],
    ["SIZE_OVERFLOW", "address", () => deviceTensor(2n ** 64n - 4n, [2])],
    ["INVALID_DEVICE", "device", () => deviceTensor(256n, [1], { device: "cpu" })],
    ["INVALID_DTYPE", "dtype", () => deviceTensor(256n, [1], { dtype: "f8" as DType })],
    ["INVALID_SHAPE", "shape", () => deviceTensor(256n, [1.5])],
    ["INVALID_STRIDE", "shape", () => deviceTensor(256n, [2], { stride: [-1] })],
    ["INVALID_LAYOUT", "layout", () => deviceTensor(256n, [2], { layout: "x" as "bhnd" })],
  ])("%s, %s: %s", (code, argument, make) => {
    expect(errorOf(make)).toMatchObject({ code, argument });
  });

  test("shows itself", () => {
    const t = deviceTensor(0x7f00n, [1, 2], { dtype: "bf16", layout: "bnhd", device: "cuda:3" });
    const shown = "DeviceTensor bf16 [1,2] bnhd (cuda:3, 0x7f00)";
    expect(String(t)).toBe(shown);
    const custom = t as unknown as Record<symbol, () => string>;
    expect(custom[Symbol.for("nodejs.util.inspect.custom")]()).toBe(shown);
    expect(custom[Symbol.for("Deno.customInspect")]()).toBe(shown);
  });

  test("forgotten tensors are collected, those of others are not", () => {
    const script = fileURLToPath(new URL("./forget.ts", import.meta.url).href);
    const args = runtimeName() === "deno" ? ["run", "-A", "--v8-flags=--expose-gc", script] : [script];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect(status, stderr).toBe(0);
    expect(stdout.trim()).toBe("true 0 same");
  });

  test("the bits of a whole array survive", () => {
    const every = Uint16Array.from({ length: 65536 }, (_, i) => i);
    using t = tensor(every, [65536], { device: "cuda:0" });
    expect(hex(t.toHost().data as ArrayBufferView)).toBe(hex(every));
  });
});
