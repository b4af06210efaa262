import process from "node:process";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** LEET_TEST_CUDA_DRIVER names another driver for the tests on a CUDA device, such as libcuda.so.1. */
const DRIVER: string = process.env.LEET_TEST_CUDA_DRIVER ??
  fileURLToPath(new URL("build/emulator/libcuda.so.1", import.meta.url).href);

const common = { testTimeout: 60_000, hookTimeout: 60_000 };

/** C reads the environment that a process starts with, so the device tests have workers of their own. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...common,
          name: "host",
          include: ["tests/**/*.test.ts"],
          exclude: ["tests/**/*.cuda.test.ts"],
          // No GPU of this machine either, so that `auto` is the same everywhere.
          env: { LEET_CUDA_DRIVER: "none" },
        },
      },
      {
        test: {
          ...common,
          name: "cuda",
          include: ["tests/**/*.cuda.test.ts"],
          env: { LEET_CUDA_DRIVER: DRIVER },
        },
      },
    ],
  },
});
