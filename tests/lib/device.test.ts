import { expect, test } from "vitest";
import { parseDevice } from "../../lib/device.ts";
import { errorOf } from "../io/error_of.ts";

test.each([
  [undefined, "auto", 0],
  ["auto", "auto", 0],
  ["cpu", "cpu", 0],
  ["reference", "reference", 0],
  ["cuda", "cuda", 0],
  ["cuda:0", "cuda", 0],
  ["cuda:13", "cuda", 13],
])("%s is %s, number %i", (name, kind, index) => {
  expect(parseDevice(name)).toEqual({ kind, index });
});

test.each(["", "CPU", "cpu:0", "cuda:", "cuda:1.5", "cuda:-1", "cuda:99999", " cuda", "reference:0"])(
  "%j is refused",
  (name) =>
    expect(errorOf(() => parseDevice(name))).toMatchObject({ code: "INVALID_DEVICE", argument: "device" }),
);
