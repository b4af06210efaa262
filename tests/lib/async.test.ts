/** linearAttentionAsync on the reference device. */
import { describe, expect, test } from "vitest";
import { linearAttention, linearAttentionAsync } from "../../lib/mod.ts";
import { bits, inputs, type Shape } from "./problems.ts";

const SHAPE: Shape = { B: 2, H: 4, Hkv: 2, N: 37, dk: 5, dv: 6 };
const device = "reference";

describe("asynchronous calls", () => {
  const { q, k, v } = inputs(SHAPE);

  test("give the same bits", async () => {
    const options = { device, decay: [0.9, 0.5, 1, 0], outputFinalState: true };
    const now = linearAttention(q, k, v, options);
    const [a, b] = await Promise.all([
      linearAttentionAsync(q, k, v, options),
      linearAttentionAsync(q, k, v, { ...options, scale: 2 }),
    ]);
    expect(bits(a.o)).toBe(bits(now.o));
    expect(bits(b.o)).toBe(bits(linearAttention(q, k, v, { ...options, scale: 2 }).o));
    expect(bits(a.finalState!)).toBe(bits(now.finalState!));
  });

  test("let the event loop run", async () => {
    const big = inputs({ B: 1, H: 16, Hkv: 16, N: 512, dk: 32, dv: 32 });
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await linearAttentionAsync(big.q, big.k, big.v, { device, method: "vanilla" });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  });

  test("reject with what the synchronous call throws", async () => {
    await expect(linearAttentionAsync(q, k, v, { device, scale: NaN })).rejects.toMatchObject({
      code: "INVALID_SCALE",
      argument: "scale",
    });
  });

  test("refuse a buffer that is transferred away meanwhile", async () => {
    const shape = { B: 1, H: 16, Hkv: 16, N: 512, dk: 32, dv: 32 };
    const big = inputs(shape);
    const call = linearAttentionAsync(big.q, big.k, big.v, { device, method: "vanilla" });
    structuredClone(big.k.data.buffer, { transfer: [big.k.data.buffer as ArrayBuffer] });
    await expect(call).rejects.toMatchObject({ code: "INVALID_BUFFER", argument: "k" });
  });
});
