/** Machines without a CUDA driver: `auto` computes on the CPU, what asks for CUDA gets a typed error, nothing crashes. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openLibrary } from "../../lib/mod.ts";
import { runtimeName } from "../../ffi/runtime.ts";

const SCRIPT = fileURLToPath(new URL("./without_device.ts", import.meta.url).href);

test("without a driver", async () => {
  const builtWithCuda = /\bcuda\(/.test((await openLibrary()).version);
  const args = runtimeName() === "deno" ? ["run", "-A", SCRIPT] : [SCRIPT];
  const env = { ...process.env, LEET_CUDA_DRIVER: "/nonexistent/libcuda.so.1" };
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", env });
  expect(status, stderr).toBe(0);
  const refused = { code: builtWithCuda ? "NO_DRIVER" : "UNSUPPORTED_DEVICE", named: true };
  expect(JSON.parse(stdout)).toEqual({
    auto: "cpu",
    autoAsync: "cpu",
    explained: "cpu",
    refused: "string",
    cuda: refused,
    cudaAsync: refused,
    to: refused,
    toAsync: refused,
    tensor: refused,
    zeros: refused,
    memory: refused,
    toHost: refused,
    toHostAsync: refused,
    onDevice: refused,
  });
});
