/** What `auto` chooses on a machine with a CUDA device, and what it does when that fails. */
import { afterEach, describe, expect, test } from "vitest";
import { devices, explain, linearAttention, linearAttentionAsync, memory, verify } from "../../lib/mod.ts";
import { configure, missing, report } from "../cases/emulator.ts";
import { errorOf } from "../io/error_of.ts";
import { bits, inputs } from "./problems.ts";

const reason = await missing();

/** Work for which the models of both devices leave no doubt. */
const LARGE = { B: 1, H: 8, Hkv: 8, N: 128, dk: 64, dv: 64 };
const SMALL = { B: 1, H: 1, Hkv: 1, N: 4, dk: 4, dv: 4 };
const options = (H: number) => ({ decay: new Array(H).fill(0.9), outputFinalState: true, threads: 1 });

describe.skipIf(reason !== undefined)(
  `auto beside a CUDA device${reason ? `, skipped: ${reason}` : ""}`,
  () => {
    afterEach(() => {
      configure("FAIL", "");
      report();
      expect(memory("cuda:0").allocated).toBe(0);
    });

    test("the device is listed", () => {
      expect(devices().map(({ name }) => name)).toEqual(["cpu", "cuda:0", "reference"]);
      expect(devices()[1].isa).toMatch(/^sm_\d+$/);
    });

    test("large work goes to the GPU, small work stays, and explain says so beforehand", () => {
      for (const [shape, device] of [[LARGE, "cuda:0"], [SMALL, "cpu"]] as const) {
        const told = explain({ ...shape, threads: 1 });
        expect(told.device).toBe(device);
        expect(told.devices.map((one) => one.device)).toEqual(["cpu", "cuda:0"]);
        const { q, k, v } = inputs(shape);
        const result = linearAttention(q, k, v, options(shape.H));
        expect(result).toMatchObject({ device, method: told.chosen });
        expect(verify(result, q, k, v, options(shape.H))).toMatchObject({ ok: true });
      }
    });

    test("explain gives the time of each device and the reason", () => {
      const { devices: [cpu, cuda], reason, chosen } = explain({ ...LARGE, threads: 1 });
      expect(cpu.seconds!).toBeGreaterThan(cuda.seconds!);
      expect(reason).toContain(`on cuda:0: ${chosen}`);
      expect(reason).toContain(`cpu ${cpu.method}`);
      const there = explain({ ...LARGE, device: "cuda", deviceTensors: true });
      expect(there.methods[6].seconds).toBeLessThan(cuda.seconds! - 10e-6);
      const wide = explain({ ...LARGE, dk: 300 });
      expect(wide.device).toBe("cpu");
      expect(wide.devices[1]).toMatchObject({ device: "cuda:0", refusal: expect.stringContaining("256") });
      expect(wide.reason).toContain("not cuda:0 (dk: ");
    });

    test("a method that was asked for is asked of each device", () => {
      const { q, k, v } = inputs(LARGE);
      const result = linearAttention(q, k, v, { ...options(8), method: "block" });
      expect(result.method).toBe("block");
      expect(verify(result, q, k, v, options(8))).toMatchObject({ ok: true });
    });

    const faults = ["cuMemAlloc_v2:1:2:from", "cuLaunchKernel:1:999:from", "cuMemcpyDtoHAsync_v2:1:999:from"];

    test.each(faults)("%s: auto goes on with the CPU, cuda does not", async (fault) => {
      const { q, k, v } = inputs(LARGE);
      const right = linearAttention(q, k, v, { ...options(8), device: "cpu" });
      const poison = () => ({ data: new Float32Array(right.o.size).fill(-7), shape: [...right.o.shape] });
      // Earlier calls may have left memory that a failing allocation would not be needed for.
      const other = inputs({ ...LARGE, N: 200 });
      configure("FAIL", fault);
      const fallen = linearAttention(q, k, v, { ...options(8), out: poison() });
      if (fallen.device === "cpu") expect(bits(fallen.o)).toBe(bits(right.o));
      const later = await linearAttentionAsync(other.q, other.k, other.v, options(8));
      expect(later.device).toBe("cpu");
      const out = poison();
      const error = errorOf(() =>
        linearAttention(other.q, other.k, other.v, { ...options(8), device: "cuda" })
      );
      expect(error.code).toMatch(/^(DEVICE_OUT_OF_MEMORY|DRIVER_ERROR|LAUNCH_FAILED)$/);
      expect(out.data.every((x) => x === -7)).toBe(true);
      configure("FAIL", "");
      expect(linearAttention(q, k, v, options(8)).device).toBe("cuda:0");
    });
  },
);
