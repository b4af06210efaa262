/** An ONNX model that is one node, com.microsoft.LinearAttention; field numbers are those of onnx.proto. @module */
import { float, integer, message, text } from "./protobuf.ts";

const FLOAT = 1;
/** AttributeProto.type */
const ATTRIBUTE = { float: 1, int: 2, string: 3 };

/** ValueInfoProto of a float tensor; every axis has a name instead of a size. */
function value(field: number, name: string, axes: readonly string[]): number[] {
  const shape = axes.map((axis) => message(1, text(2, axis)));
  return message(field, text(1, name), message(2, message(1, integer(1, FLOAT), message(2, ...shape))));
}

function attribute(name: string, content: number[], type: number): number[] {
  return message(5, text(1, name), content, integer(20, type));
}

/** The model for a number of heads: inputs query, key, value [B,N,heads*dim] and decay [B,N,heads], a logarithm. */
export function linearAttentionModel(heads: number): Uint8Array {
  const inputs = ["query", "key", "value", "", "decay"]; // the fourth would be a state
  const node = message(
    1,
    ...inputs.map((name) => text(1, name)),
    text(2, "output"),
    text(2, "present_state"),
    text(4, "LinearAttention"),
    attribute("q_num_heads", integer(3, heads), ATTRIBUTE.int),
    attribute("kv_num_heads", integer(3, heads), ATTRIBUTE.int),
    attribute("update_rule", text(4, "gated"), ATTRIBUTE.string),
    attribute("scale", float(2, 1), ATTRIBUTE.float),
    text(7, "com.microsoft"),
  );
  const graph = message(
    7,
    node,
    text(2, "linear_attention"),
    ...["query", "key", "value", "decay"].map((name) => value(11, name, ["B", "N", `${name}_width`])),
    value(12, "output", ["B", "N", "output_width"]),
    value(12, "present_state", ["B", "heads", "dk", "dv"]),
  );
  const opset = (domain: string, version: number): number[] =>
    message(8, text(1, domain), integer(2, version));
  return Uint8Array.from([...integer(1, 10), ...graph, ...opset("", 21), ...opset("com.microsoft", 1)]);
}
