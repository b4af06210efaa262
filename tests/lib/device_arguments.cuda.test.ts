/** Every kind of wrong argument of a call on device tensors: its code, the argument it names, and nothing left allocated. */
import { afterEach, describe, expect, test } from "vitest";
import {
  type DeviceTensor,
  deviceTensor,
  linearAttention,
  linearAttentionAsync,
  memory,
  registerMethod,
  unregisterMethod,
  zeros,
} from "../../lib/mod.ts";
import { missing, report } from "../cases/emulator.ts";
import { errorOf } from "../io/error_of.ts";
import { DECAY, disposeAll, hosts, onDevice, STATE, upload } from "./on_device.ts";

const reason = await missing();

type Change = (call: { q: unknown; k: unknown; v: unknown; options: Record<string, unknown> }) => void;
const put = (options: () => Record<string, unknown>): Change => (c) =>
  void Object.assign(c.options, options());
const disposed = (): DeviceTensor => {
  const t = zeros(STATE, { device: "cuda:0" });
  t.dispose();
  return t;
};
const view = (t: unknown, shape: readonly number[], options: Parameters<typeof deviceTensor>[2] = {}) =>
  deviceTensor((t as DeviceTensor).address, shape, options);

const bad: [what: string, code: string, argument: string, change: Change][] = [
  ["k of the host", "INVALID_DEVICE", "k", (c) => c.k = hosts.k],
  ["v of the host", "INVALID_DEVICE", "v", (c) => c.v = { data: new Float32Array(4), shape: [1, 1, 1, 4] }],
  ["q of the host", "INVALID_DEVICE", "k", (c) => c.q = hosts.q],
  [
    "k of another device",
    "INVALID_DEVICE",
    "k",
    (c) => c.k = view(c.k, [2, 2, 37, 8], { device: "cuda:1" }),
  ],
  ["k missing", "INVALID_ARGUMENT", "k", (c) => c.k = undefined],
  ["v a number", "INVALID_ARGUMENT", "v", (c) => c.v = 3],
  [
    "initialState of the host",
    "INVALID_DEVICE",
    "initialState",
    put(() => ({ initialState: zeros(STATE) })),
  ],
  ["out of the host", "INVALID_DEVICE", "out", put(() => ({ out: zeros([2, 4, 37, 12]) }))],
  [
    "outFinalState of another device",
    "INVALID_DEVICE",
    "outFinalState",
    put(() => ({ outFinalState: deviceTensor(4096n, STATE, { device: "cuda:1" }) })),
  ],
  [
    "decay of another device",
    "INVALID_DEVICE",
    "decay",
    put(() => ({ decay: deviceTensor(4096n, [4], { device: "cuda:1" }) })),
  ],
  ["device cpu", "INVALID_DEVICE", "device", put(() => ({ device: "cpu" }))],
  ["device reference", "INVALID_DEVICE", "device", put(() => ({ device: "reference" }))],
  ["device cuda:1", "INVALID_DEVICE", "device", put(() => ({ device: "cuda:1" }))],
  ["a registered method", "UNSUPPORTED_DEVICE", "method", put(() => ({ method: "mine" }))],
  ["an unknown method", "INVALID_METHOD", "method", put(() => ({ method: "flash3" }))],
  ["an unknown option", "INVALID_ARGUMENT", "streams", put(() => ({ streams: 1n }))],
  ["q disposed", "DISPOSED", "q", (c) => c.q = disposed()],
  ["initialState disposed", "DISPOSED", "initialState", put(() => ({ initialState: disposed() }))],
  ["out disposed", "DISPOSED", "out", put(() => ({ out: disposed() }))],
  ["logGates disposed", "DISPOSED", "logGates", put(() => ({ logGates: disposed() }))],
  ["q of three axes", "INVALID_SHAPE", "q", (c) => c.q = view(c.q, [4, 37, 8])],
  ["k of another N", "INVALID_SHAPE", "k", (c) => c.k = view(c.k, [2, 2, 36, 8])],
  ["v of another dtype", "INVALID_DTYPE", "v", (c) => c.v = view(c.v, [2, 2, 37, 12], { dtype: "bf16" })],
  ["layout of q differs", "INVALID_LAYOUT", "q", put(() => ({ layout: "bnhd" }))],
  [
    "q not contiguous",
    "INVALID_STRIDE",
    "q",
    (c) => c.q = view(c.q, [2, 4, 37, 8], { stride: [1184, 296, 8, 2] }),
  ],
  [
    "q without a stride",
    "INVALID_STRIDE",
    "q",
    (c) => c.q = view(c.q, [2, 4, 37, 8], { stride: [0, 0, 0, 1] }),
  ],
  [
    "initialState of another shape",
    "INVALID_SHAPE",
    "initialState",
    (c) => c.options.initialState = view(c.q, [2, 4, 12, 8]),
  ],
  [
    "initialState of bf16",
    "INVALID_DTYPE",
    "initialState",
    (c) => c.options.initialState = view(c.q, STATE, { dtype: "bf16" }),
  ],
  [
    "initialState not dense",
    "INVALID_STRIDE",
    "initialState",
    (c) => c.options.initialState = view(c.q, STATE, { stride: [400, 100, 12, 1] }),
  ],
  ["out of another shape", "INVALID_SHAPE", "out", (c) => c.options.out = view(c.q, [2, 4, 37, 8])],
  [
    "out of another dtype",
    "INVALID_DTYPE",
    "out",
    (c) => c.options.out = view(c.q, [2, 4, 37, 12], { dtype: "f16" }),
  ],
  [
    "out that overlaps itself",
    "INVALID_STRIDE",
    "out",
    (c) => c.options.out = view(c.q, [2, 4, 37, 12], { stride: [1776, 0, 12, 1] }),
  ],
  ["out over q", "INVALID_ALIAS", "out", (c) => c.options.out = view(c.q, [2, 4, 37, 12])],
  [
    "out over the end of v",
    "INVALID_ALIAS",
    "out",
    (c) => c.options.out = view(c.v, [2, 4, 37, 12], { offset: 2 * 2 * 37 * 12 - 1 }),
  ],
  ["outFinalState over part of initialState", "INVALID_ALIAS", "outFinalState", (c) => {
    c.options.initialState = upload(zeros([2 * 768])).slice(0, 0, 768);
    c.options.outFinalState = view(c.options.initialState, STATE, { offset: 1 });
    c.options.initialState = view(c.options.initialState, STATE);
  }],
  ["outFinalState over the gates", "INVALID_ALIAS", "outFinalState", (c) => {
    c.options.logGates = upload(zeros([2, 4, 37]));
    c.options.outFinalState = view(c.options.logGates, STATE, { offset: 295 });
  }],
  ["decay of f16", "INVALID_DTYPE", "decay", put(() => ({ decay: upload(zeros([4], { dtype: "f16" })) }))],
  ["decay of another shape", "INVALID_SHAPE", "decay", put(() => ({ decay: upload(zeros([2, 2])) }))],
  [
    "decay not dense",
    "INVALID_STRIDE",
    "logDecay",
    put(() => ({
      logDecay: deviceTensor(upload(zeros([8])).address, [4], { stride: [2] }),
    })),
  ],
  [
    "gates of the other layout",
    "INVALID_LAYOUT",
    "logGates",
    put(() => ({
      logGates: upload(zeros([2, 4, 37], { layout: "bnhd" })),
    })),
  ],
  [
    "gates broadcast over every axis",
    "INVALID_STRIDE",
    "logGates",
    put(() => ({
      logGates: deviceTensor(upload(zeros([1])).address, [2, 4, 37], { stride: [0, 0, 0] }),
    })),
  ],
  [
    "two forms of decay",
    "INVALID_DECAY",
    "logDecay",
    put(() => ({
      decay: DECAY,
      logDecay: upload(zeros([4])),
    })),
  ],
  ["host decay above 1", "INVALID_DECAY", "decay", put(() => ({ decay: [1, 1, 1, 1.5] }))],
  ["cuSeqlens with B = 2", "INVALID_CU_SEQLENS", "cuSeqlens", put(() => ({ cuSeqlens: [0, 37] }))],
  ["scale NaN", "INVALID_SCALE", "scale", put(() => ({ scale: NaN }))],
  ["stream a number", "INVALID_ARGUMENT", "stream", put(() => ({ stream: 1 }))],
  ["stream negative", "INVALID_ARGUMENT", "stream", put(() => ({ stream: -1n }))],
  ["stream beyond 64 bits", "INVALID_ARGUMENT", "stream", put(() => ({ stream: 1n << 64n }))],
];

describe.skipIf(reason !== undefined)(
  `wrong arguments on CUDA${reason ? `, skipped: ${reason}` : ""}`,
  () => {
    afterEach(() => {
      disposeAll();
      expect(report()).toBe("");
      expect(memory("cuda:0").allocated).toBe(0);
    });

    test.each(bad)("%s: %s, %s", async (_, code, argument, change) => {
      registerMethod({ name: "mine", head: () => {}, replace: true });
      const call = { ...onDevice(), options: { outputFinalState: true } as Record<string, unknown> };
      change(call);
      const { q, k, v } = call as { q: DeviceTensor; k: DeviceTensor; v: DeviceTensor };
      const before = memory("cuda:0").allocated;
      const error = errorOf(() => linearAttention(q, k, v, call.options));
      expect(error).toMatchObject({ code, argument });
      expect(error.message).toMatch(new RegExp(`^${argument}: expected .+, got .+`));
      await expect(linearAttentionAsync(q, k, v, call.options)).rejects.toMatchObject({ code, argument });
      expect(memory("cuda:0").allocated).toBe(before);
      unregisterMethod("mine");
    });
  },
);
