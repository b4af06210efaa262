/** The operator on device tensors: results, outputs of the caller's, streams, asynchronous calls, wrong arguments. */
import { afterEach, describe, expect, test } from "vitest";
import {
  causalLinearDecoder,
  type DecayOptions,
  type DeviceAttentionOptions,
  deviceTensor,
  linearAttention,
  linearAttentionAsync,
  memory,
  tensor,
  verify,
  zeros,
} from "../../lib/mod.ts";
import { makeStream, missing, report, waitFor } from "../cases/emulator.ts";
import { errorOf } from "../io/error_of.ts";
import { DECAY, disposeAll, hosts, keep, onDevice, SHAPE, STATE, upload } from "./on_device.ts";
import { bits, decays, inputs, noise } from "./problems.ts";

const reason = await missing();
describe.skipIf(reason !== undefined)(`on device tensors${reason ? `, skipped: ${reason}` : ""}`, () => {
  afterEach(() => {
    disposeAll();
    expect(report()).toBe("");
    expect(memory("cuda:0").allocated).toBe(0);
  });

  test.each(Object.entries(decays(SHAPE)))("decay %s gives the bits of a call on host arrays", (_, given) => {
    const options: DecayOptions = given;
    for (const layout of ["bhnd", "bnhd"] as const) {
      const call = inputs(SHAPE, layout);
      const { q, k, v } = onDevice(layout);
      const state = tensor(noise(768, 4), STATE);
      const common = { ...options, layout, scale: 0.5, outputFinalState: true };
      const right = linearAttention(call.q, call.k, call.v, {
        ...common,
        initialState: state,
        device: "cuda",
      });
      const got = keep(linearAttention(q, k, v, { ...common, initialState: upload(state) }));
      expect(got).toMatchObject({ device: "cuda:0", method: right.method });
      expect(got.o).toMatchObject({ device: "cuda:0", shape: right.o.shape, layout, dtype: "f32" });
      expect(bits(got.o.toHost())).toBe(bits(right.o));
      expect(bits(got.finalState!.toHost())).toBe(bits(right.finalState!));
      const shape = layout === "bhnd" ? [2, 4, 37] : [2, 37, 4];
      const moved = Object.entries(options).map(([form, values]) => [
        form,
        upload(tensor(Float32Array.from(values as number[]), form === "logGates" ? shape : [4])),
      ]);
      const all = { ...common, ...Object.fromEntries(moved), initialState: upload(state) };
      expect(bits(keep(linearAttention(q, k, v, all)).o.toHost())).toBe(bits(right.o));
    }
  });

  test("the result is right, as verify says of device tensors", () => {
    const { q, k, v } = onDevice();
    const options = { decay: DECAY, outputFinalState: true };
    const result = keep(linearAttention(q, k, v, options));
    expect(verify(result, q, k, v, options)).toMatchObject({ ok: true });
    const wrong = upload(tensor(new Float32Array(2 * 4 * 37 * 12).fill(1), [2, 4, 37, 12]));
    expect(verify({ o: wrong }, q, k, v, options)).toMatchObject({ ok: false });
  });

  test("out and outFinalState are written in place, and the results are views of them", () => {
    const { q, k, v } = onDevice();
    const right = linearAttention(hosts.q, hosts.k, hosts.v, {
      decay: DECAY,
      outputFinalState: true,
      device: "cuda",
    });
    // [B,H,N,dv] inside [B,H,N+3,dv+1], from an odd element on.
    const memoryOfOut = upload(tensor(new Float32Array(2 * 4 * 40 * 13).fill(7), [2 * 4 * 40 * 13]));
    const stride = [4 * 40 * 13, 40 * 13, 13, 1];
    const out = deviceTensor(memoryOfOut.address, [2, 4, 37, 12], { stride, offset: 3 });
    const outFinalState = upload(zeros(STATE));
    const { o, finalState } = linearAttention(q, k, v, { decay: DECAY, out, outFinalState });
    expect(bits(o.toHost())).toBe(bits(right.o));
    expect(bits(finalState!.toHost())).toBe(bits(right.finalState!));
    expect([o.address, finalState!.address]).toEqual([out.address, outFinalState.address]);
    o.dispose();
    finalState!.dispose();
    expect(bits(outFinalState.toHost())).toBe(bits(right.finalState!));
    expect(memoryOfOut.toHost().toFloat32().filter((x) => x === 7).length).toBe(
      2 * 4 * 40 * 13 - right.o.size,
    );
  });

  test("a state goes in and comes out in one place, and carries on", () => {
    const { q, k, v } = onDevice();
    const whole = keep(linearAttention(q, k, v, { decay: DECAY, outputFinalState: true }));
    const state = upload(zeros(STATE));
    const parts = [[0, 20], [20, 37]].map(([from, to]) => {
      const [a, b, c] = [q, k, v].map((t) => t.slice(2, from, to));
      return keep(linearAttention(a, b, c, { decay: DECAY, initialState: state, outFinalState: state }));
    });
    const values = parts.flatMap(({ o }) => [...o.toHost().slice(0, 1, 2).slice(1, 3, 4).toFloat32()]);
    const right = [...whole.o.toHost().slice(0, 1, 2).slice(1, 3, 4).toFloat32()];
    const error = Math.max(...values.map((x, i) => Math.abs(x - right[i])));
    expect(!(error <= 1e-5)).toBe(false);
    const states = [state, whole.finalState!].map((t) => t.toHost().toFloat32());
    expect(!(Math.max(...states[0].map((x, i) => Math.abs(x - states[1][i]))) <= 1e-5)).toBe(false);
  });

  test.each(["f32", "f16", "bf16"] as const)(
    "%s tensors at any element, aligned to nothing more",
    (dtype) => {
      for (const method of ["vanilla", "recurrent", "block", "recursion", "lightning", "fleet", "flash"]) {
        const call = inputs({ ...SHAPE, B: 1 }, "bhnd", dtype);
        const [q, k, v] = [call.q, call.k, call.v].map((t) => {
          const padded = new Float32Array(t.size + 1);
          padded.set(t.toFloat32(), 1);
          const odd = upload(tensor(padded, [padded.length]).cast(dtype));
          return deviceTensor(odd.address, t.shape, { dtype, offset: 1 });
        });
        const { o } = keep(linearAttention(q, k, v, { decay: DECAY, method }));
        const right = linearAttention(call.q, call.k, call.v, { decay: DECAY, method, device: "cuda" });
        expect(bits(o.toHost()), method).toBe(bits(right.o));
      }
    },
  );

  test("a ragged batch", () => {
    const call = inputs({ ...SHAPE, B: 1 });
    const [q, k, v] = [call.q, call.k, call.v].map(upload);
    const options = { decay: DECAY, cuSeqlens: [0, 5, 5, 37], outputFinalState: true };
    const result = keep(linearAttention(q, k, v, options));
    expect(result.finalState!.shape).toEqual([3, 4, 8, 12]);
    expect(verify(result, q, k, v, options)).toMatchObject({ ok: true });
  });

  test("no tokens: the state comes out as it went in", () => {
    const call = inputs({ ...SHAPE, N: 0 });
    const [q, k, v] = [call.q, call.k, call.v].map(upload);
    const state = tensor(noise(768, 4), STATE);
    const { o, finalState } = keep(
      linearAttention(q, k, v, { initialState: upload(state), outputFinalState: true }),
    );
    expect(o.toHost().size).toBe(0);
    expect(bits(finalState!.toHost())).toBe(bits(state));
  });

  test("an asynchronous call leaves the event loop free, and its memory outlives disposal", async () => {
    const call = inputs({ ...SHAPE, N: 300, dk: 32, dv: 64 });
    const options = { decay: DECAY, method: "vanilla", outputFinalState: true } as const;
    const right = linearAttention(call.q, call.k, call.v, { ...options, device: "cuda" });
    const [q, k, v] = [call.q, call.k, call.v].map((t) => t.to("cuda:0"));
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const running = linearAttentionAsync(q, k, v, options);
    for (const t of [q, k, v]) t.dispose();
    const result = keep(await running);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(5);
    expect(bits(await result.o.toHostAsync())).toBe(bits(right.o));
    expect(bits(await result.finalState!.toHostAsync())).toBe(bits(right.finalState!));
  });

  test("asynchronous calls at the same time", async () => {
    const { q, k, v } = onDevice();
    const scales = [1, 2, -0.5, 0];
    const later = await Promise.all(
      scales.map((scale) => linearAttentionAsync(q, k, v, { decay: DECAY, scale })),
    );
    scales.forEach((scale, i) => {
      const now = keep(linearAttention(q, k, v, { decay: DECAY, scale }));
      expect(bits(keep(later[i]).o.toHost())).toBe(bits(now.o.toHost()));
    });
  });

  test.each(["a stream of the caller's", "the default stream"])("on %s nothing is waited for", (which) => {
    const { q, k, v } = onDevice();
    const stream = which === "the default stream" ? 0n : makeStream();
    const right = keep(linearAttention(q, k, v, { decay: DECAY, outputFinalState: true }));
    const out = upload(tensor(new Float32Array(right.o.size).fill(7), right.o.shape));
    const decay = Float32Array.from(DECAY);
    const first = keep(linearAttention(q, k, v, { decay, out, stream, outputFinalState: true }));
    decay.fill(0.123);
    // The next call on the stream reads what the first has yet to write.
    const second = linearAttention(q, k, v, {
      decay: DECAY,
      stream,
      initialState: first.finalState,
      outFinalState: first.finalState,
    });
    keep({ o: second.o });
    expect(new Set(out.toHost().toFloat32())).toEqual(new Set([7]));
    waitFor(stream);
    expect(bits(out.toHost())).toBe(bits(right.o.toHost()));
    const carried = keep(linearAttention(q, k, v, {
      decay: DECAY,
      initialState: right.finalState,
      outputFinalState: true,
    }));
    expect(bits(second.o.toHost())).toBe(bits(carried.o.toHost()));
    expect(bits(first.finalState!.toHost())).toBe(bits(carried.finalState!.toHost()));
  });

  test("a ragged batch and gates of the host on a stream", () => {
    const call = inputs({ ...SHAPE, B: 1 });
    const [q, k, v] = [call.q, call.k, call.v].map(upload);
    const stream = makeStream();
    const cuSeqlens = BigInt64Array.of(0n, 5n, 37n), logGates = noise(4 * 37, 9).map((x) => -Math.abs(x));
    const options = { cuSeqlens: [0, 5, 37], logGates: logGates.slice(), outputFinalState: true };
    const result = keep(linearAttention(q, k, v, { ...options, cuSeqlens, logGates, stream }));
    cuSeqlens.fill(37n);
    logGates.fill(-9);
    waitFor(stream);
    expect(verify(result, q, k, v, options)).toMatchObject({ ok: true });
  });

  test("LeetDecoding's entry point", () => {
    const call = inputs({ ...SHAPE, Hkv: 4, dv: 8 });
    const [q, k, v] = [call.q, call.k, call.v].map(upload);
    const options = { isMaskWeight: true, gamma: [0.1, 0.2, 0, 1] };
    const o = causalLinearDecoder(q, k, v, options);
    keep({ o });
    const right = causalLinearDecoder(call.q, call.k, call.v, { ...options, device: "cuda" });
    expect(bits(o.toHost())).toBe(bits(right));
  });

  test("a call that fails leaves nothing allocated", () => {
    const { q, k, v } = onDevice();
    const before = memory("cuda:0").allocated;
    const options = { decay: Float32Array.of(1, 1, NaN, 1), outputFinalState: true };
    expect(errorOf(() => linearAttention(q, k, v, options))).toMatchObject({
      code: "INVALID_DECAY",
      argument: "decay",
    });
    expect(memory("cuda:0").allocated).toBe(before);
  });

  test("dk above the limit is refused by name", () => {
    const big = upload(zeros([1, 1, 4, 300]));
    expect(errorOf(() => linearAttention(big, big, big))).toMatchObject({ code: "UNSUPPORTED_SHAPE" });
  });

  test("a stream with host arrays, or with a call that waits anyway, is refused", async () => {
    const options = { stream: 1n } as DeviceAttentionOptions;
    expect(errorOf(() => linearAttention(hosts.q, hosts.k, hosts.v, options as never)))
      .toMatchObject({ code: "INVALID_ARGUMENT", argument: "stream" });
    const { q, k, v } = onDevice();
    await expect(linearAttentionAsync(q, k, v, options))
      .rejects.toMatchObject({ code: "INVALID_ARGUMENT", argument: "stream" });
  });
});
