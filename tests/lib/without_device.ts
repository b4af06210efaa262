/** A program on a machine without a usable CUDA device: prints the outcome of every call that could want one, as JSON. */
import {
  deviceTensor,
  explain,
  LeetError,
  linearAttention,
  linearAttentionAsync,
  memory,
  tensor,
  zeros,
} from "../../lib/mod.ts";

// Work enough for auto to look for a GPU.
const q = zeros([1, 8, 256, 64]);
const foreign = deviceTensor(4096n, [1, 8, 256, 64]);

const calls: { [name: string]: () => unknown } = {
  auto: () => linearAttention(q, q, q).device,
  autoAsync: async () => (await linearAttentionAsync(q, q, q)).device,
  explained: () => explain({ B: 1, H: 8, N: 256, dk: 64 }).device,
  refused: () => typeof explain({ B: 1, H: 8, N: 256, dk: 64 }).devices[1].refusal,
  cuda: () => linearAttention(q, q, q, { device: "cuda" }).device,
  cudaAsync: async () => (await linearAttentionAsync(q, q, q, { device: "cuda:0" })).device,
  to: () => q.to("cuda:0").device,
  toAsync: async () => (await q.toAsync("cuda:0")).device,
  tensor: () => tensor([1], [1], { device: "cuda" }).device,
  zeros: () => zeros([1], { device: "cuda" }).device,
  memory: () => memory("cuda:0").total,
  toHost: () => foreign.toHost().size,
  toHostAsync: async () => (await foreign.toHostAsync()).size,
  onDevice: () => linearAttention(foreign, foreign, foreign).device,
};

const outcomes: { [name: string]: unknown } = {};
for (const [name, call] of Object.entries(calls)) {
  try {
    outcomes[name] = await call();
  } catch (error) {
    if (!(error instanceof LeetError)) throw error;
    outcomes[name] = { code: error.code, named: error.message.length > 20 };
  }
}
foreign.dispose();
console.log(JSON.stringify(outcomes));
