/** The error class, and how a native status becomes one. */
import { expect, test } from "vitest";
import { STATUS } from "../../ffi/symbols.ts";
import {
  codeOfStatus,
  errorOfStatus,
  LeetError,
  show,
  throwOnStatus,
  wrongArgument,
} from "../../lib/errors.ts";

test("a LeetError is an Error with a code, and with the rest where it is known", () => {
  const cause = new Error("below");
  const error = new LeetError("INVALID_SHAPE", "q: bad", { status: 1007, argument: "q", cause });
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    name: "LeetError",
    code: "INVALID_SHAPE",
    message: "q: bad",
    status: 1007,
    argument: "q",
  });
  expect(error.cause).toBe(cause);
  expect(String(error)).toBe("LeetError: q: bad");
  const bare = new LeetError("USAGE", "no");
  for (const property of ["status", "argument", "cause"]) expect(bare).not.toHaveProperty(property);
});

test("every status of the table has its own name as code", () => {
  for (const { code, name } of STATUS.slice(1)) expect(codeOfStatus(code)).toBe(name);
});

test.each([
  [1999, "INVALID_ARGUMENT"],
  [2999, "UNSUPPORTED"],
  [3999, "OUT_OF_RESOURCES"],
  [4999, "DEVICE_ERROR"],
  [9999, "INTERNAL"],
  [5000, "INTERNAL"],
  [17, "INTERNAL"],
  [-1, "INTERNAL"],
])("an unknown status %i is %s by its group", (status, code) => {
  expect(codeOfStatus(status)).toBe(code);
  const error = errorOfStatus(status, "");
  expect(error).toMatchObject({ code, status, message: `unknown status ${status}` });
});

test.each([
  ["q: expected at least 2 elements, got 1", "q"],
  ["decay[0]: expected a factor in [0,1], got 1.5", "decay"],
  ["log_gates[0,1,2] (batch, head, time): expected <= 0, got 1", "logGates"],
  ["q_stride[1] (head): expected >= 0, got -1", "qStride"],
  ["cu_seqlens[3]: expected N = 8, got 9", "cuSeqlens"],
  ["Hkv: expected a divisor of H = 4, got 3", "Hkv"],
  ["no memory for 80 bytes of scratch", undefined],
  ["no room: none left", undefined],
])("%s", (message, argument) => {
  const error = errorOfStatus(1007, message);
  expect(error.message).toBe(message);
  expect(error.argument).toBe(argument);
});

test("an empty message is replaced by the meaning of the status", () => {
  expect(errorOfStatus(3001, "").message).toBe("host memory ran out");
});

test("throwOnStatus throws for everything but OK", () => {
  expect(throwOnStatus(0, "x")).toBe(undefined);
  expect(() => throwOnStatus(1007)).toThrow(expect.objectContaining({ code: "INVALID_SHAPE", status: 1007 }));
});

test("wrongArgument names the argument, what was expected and what came", () => {
  const error = wrongArgument("threads", "an integer >= 0", -1);
  expect(error).toMatchObject({ code: "INVALID_ARGUMENT", argument: "threads" });
  expect(error.message).toBe("threads: expected an integer >= 0, got -1");
  expect(wrongArgument("q", "a tensor", null, "INVALID_BUFFER").code).toBe("INVALID_BUFFER");
});

test.each<[unknown, string]>([
  ["text", '"text"'],
  ["x".repeat(100), `"${"x".repeat(57)}..."`],
  ["two\nlines", '"two\\nlines"'],
  [-0.5, "-0.5"],
  [NaN, "NaN"],
  [5n, "5n"],
  [undefined, "undefined"],
  [null, "null"],
  [true, "true"],
  [Symbol("s"), "Symbol(s)"],
  [() => 0, "a function"],
  [[1, "a", [2]], '[1, "a", [...]]'],
  [Array.from({ length: 9 }, (_, i) => i), "[0, 1, 2, 3, 4, 5, 6, 7, ...]"],
  [new Float32Array(3), "Float32Array of 12 bytes"],
  [{}, "Object"],
  [new Map(), "Map"],
  [Object.create(null), "an object"],
])("show(%o)", (value, text) => {
  expect(show(value)).toBe(text);
});
