/** Methods of the user's own. */
import { describe, expect, test } from "vitest";
import {
  type HeadCall,
  linearAttention,
  methods,
  registerMethod,
  unregisterMethod,
  zeros,
} from "../../lib/mod.ts";
import { verify } from "../../lib/verify.ts";
import { errorOf } from "../io/error_of.ts";
import { bits, inputs, type Shape } from "./problems.ts";

const SHAPE: Shape = { B: 2, H: 4, Hkv: 2, N: 37, dk: 5, dv: 6 };

describe("methods of the user's own", () => {
  const { q, k, v } = inputs(SHAPE);
  const own = ({ N, dk, dv, scale, q, k, v, decay, state, o }: HeadCall<Float32Array>): void => {
    for (let t = 0; t < N; t++) {
      for (let e = 0; e < dv; e++) {
        let sum = 0;
        for (let r = 0; r < dk; r++) {
          state[r * dv + e] = decay[t] * state[r * dv + e] + k[t * dk + r] * v[t * dv + e];
          sum += q[t * dk + r] * state[r * dv + e];
        }
        o[t * dv + e] = scale * sum;
      }
    }
  };

  test.each(["auto", "reference"])("run on %s, on float32 heads", (device) => {
    registerMethod({ name: "own", text: "mine", head: own });
    try {
      expect(methods().at(-1)).toEqual({ name: "own", text: "mine", builtin: false });
      const options = { device, method: "own", decay: [0.9, 0.5, 1, 0], outputFinalState: true };
      const result = linearAttention(q, k, v, options);
      expect(result).toMatchObject({ method: "own", device: "reference" });
      expect(verify(result, q, k, v, { decay: [0.9, 0.5, 1, 0] })).toMatchObject({ ok: true });
    } finally {
      unregisterMethod("own");
    }
  });

  test("an exception leaves the outputs untouched", () => {
    let heads = 0;
    registerMethod({
      name: "failing",
      head: (call) => {
        own(call);
        if (++heads === 3) throw new Error("no more");
      },
    });
    try {
      const out = zeros([2, 4, 37, 6]);
      expect(() => linearAttention(q, k, v, { method: "failing", out })).toThrow("no more");
      expect(bits(out)).toMatch(/^0+$/);
    } finally {
      unregisterMethod("failing");
    }
  });

  test("native devices refuse them", () => {
    registerMethod({ name: "own", head: own });
    try {
      expect(errorOf(() => linearAttention(q, k, v, { method: "own", device: "cpu" }))).toMatchObject({
        code: "UNSUPPORTED_DEVICE",
        argument: "device",
      });
    } finally {
      unregisterMethod("own");
    }
  });

  test.each([
    [{ name: "auto" }, "INVALID_METHOD", "name"],
    [{ name: "flash" }, "INVALID_METHOD", "name"],
    [{ name: "flash", replace: true }, "INVALID_METHOD", "name"],
    [{ name: "" }, "INVALID_METHOD", "name"],
    [{ name: "two words" }, "INVALID_METHOD", "name"],
    [{ name: "taken" }, "INVALID_METHOD", "name"],
    [{ name: 3 }, "INVALID_ARGUMENT", "name"],
    [{ name: "fine", head: "flash" }, "INVALID_ARGUMENT", "head"],
    [{ name: "fine", text: 1 }, "INVALID_ARGUMENT", "text"],
    [{ name: "fine", replace: 1 }, "INVALID_ARGUMENT", "replace"],
    [{ name: "fine", cost: 1 }, "INVALID_ARGUMENT", "cost"],
  ])("refused: %j", (fields, code, argument) => {
    registerMethod({ name: "taken", head: own });
    try {
      const registration = { head: own, ...fields } as Parameters<typeof registerMethod>[0];
      expect(errorOf(() => registerMethod(registration))).toMatchObject({ code, argument });
      registerMethod({ name: "taken", head: own, text: "again", replace: true });
      expect(methods().at(-1)).toMatchObject({ name: "taken", text: "again" });
    } finally {
      unregisterMethod("taken");
    }
  });
});
