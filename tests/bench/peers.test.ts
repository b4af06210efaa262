/** Other libraries: what is said when they are missing, and, where they are installed, that they are right. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { linearAttentionModel } from "../../lib/bench/peers/onnx_model.ts";
import { loadPeers, packageFolder, PEER_PACKAGES } from "../../lib/bench/peers/peers.ts";
import { bench, benchJson } from "./work.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
const missing = PEER_PACKAGES.filter((name) => packageFolder(name, HERE) === null);

test("without their packages the message says which and how to install them", async () => {
  expect(() => loadPeers("/")).toThrow(
    "--peers: not installed: onnxruntime-node, @node-llama-cpp/linux-x64; they take some 320 MB: npm install --no-save",
  );
  if (missing.length === 0) return;
  const { code, out, err } = await bench("--methods", "flash", "--lengths", "8", "--peers");
  expect([code, out]).toEqual([1, []]);
  expect(err[0]).toContain(`leet bench: --peers: not installed: ${missing.join(", ")}`);
});

test("the model of ONNX is the protocol buffer that it should be", () => {
  const model = linearAttentionModel(300);
  expect([...model.slice(0, 2)]).toEqual([0x08, 10]); // ir_version
  const text = new TextDecoder("latin1").decode(model);
  for (
    const word of ["LinearAttention", "com.microsoft", "q_num_heads", "update_rule", "gated", "present_state"]
  ) {
    expect(text).toContain(word);
  }
  expect(text).toContain("q_num_heads\x18\xac\x02"); // field 3, 300 as a varint
});

describe.skipIf(missing.length > 0)("where they are installed", () => {
  test.each(["decay", "log-gates", "none"])("both are right: %s", async (decay) => {
    const { results } = await benchJson(
      "--methods",
      "flash",
      "--lengths",
      "33",
      "--batch",
      "2",
      "--decay",
      decay,
      "--peers",
    );
    expect(results.map(({ method, outcome }) => [method, outcome])).toEqual([
      ["flash", "timed"],
      ["onnxruntime", "timed"],
      ["ggml", "timed"],
    ]);
    for (const { error_ratio } of results) expect(error_ratio!).toBeLessThan(1);
  });

  test("and say what they do not support", async () => {
    const { results } = await benchJson(
      "--methods",
      "none",
      "--lengths",
      "9",
      "--dtype",
      "f32,bf16",
      "--dv",
      "8",
      "--peers",
    );
    expect(results.map(({ method, dtype, outcome }) => [method, dtype, outcome])).toEqual([
      ["onnxruntime", "f32", "timed"],
      ["ggml", "f32", "unsupported"],
      ["onnxruntime", "bf16", "unsupported"],
      ["ggml", "bf16", "unsupported"],
    ]);
  });
});
