/** A program that forgets device tensors: prints whether there were any, how many bytes stay, and what a view still reads. */
import { deviceTensor, memory, tensor, zeros } from "../../lib/mod.ts";

const collect = globalThis as { gc?: () => void; Bun?: { gc(force: boolean): void } };

function forget(): void {
  for (let i = 0; i < 100; i++) zeros([1000], { device: "cuda:0" }).slice(0, 1, 2);
}

function adopt(): string {
  using theirs = tensor([42], [1], { device: "cuda:0" });
  (() => deviceTensor(theirs.address, [1]))();
  collect.gc?.();
  collect.Bun?.gc(true);
  return theirs.toHost().get(0) === 42 ? "same" : "lost";
}

forget();
const were = memory().allocated > 0;
const seen = adopt();
for (let round = 0; round < 200 && memory().allocated > 0; round++) {
  collect.gc?.();
  collect.Bun?.gc(true);
  await new Promise((resolve) => setTimeout(resolve, 5));
}
console.log(were, memory().allocated, seen);
