/** Reads leet.h and the .def tables into plain data. Whatever it does not understand is an error. @module */

/** A scalar C type as the runtimes' FFI names it. */
export type Scalar = "i32" | "u32" | "i64" | "u64" | "f32" | "f64";

/** `buffer` is host memory always; `array` is tensor memory: a host buffer, or a device address. */
export type ParameterKind = Scalar | "buffer" | "array";

/** One parameter of a function. */
export interface Parameter {
  name: string;
  kind: ParameterKind;
  /** The C declaration, such as `const float *decay`. */
  c: string;
}

/** One LEET_API function; the result is always a leet_status. */
export interface CFunction {
  name: string;
  parameters: Parameter[];
}

/** One field of a struct; `offset` in bytes, `count` elements. */
export interface Field {
  name: string;
  type: Scalar | "char";
  offset: number;
  count: number;
}

/** One struct; `size` in bytes. */
export interface CStruct {
  name: string;
  size: number;
  fields: Field[];
}

/** A number or string that has a name in C. */
export interface Constant {
  name: string;
  value: number | string;
}

/** Everything that leet.h declares. */
export interface Header {
  /** `#define NAME number-or-string`. */
  defines: Constant[];
  /** One list of enumerators for each enum. */
  enums: Constant[][];
  structs: CStruct[];
  functions: CFunction[];
}

const SCALARS: Record<string, Scalar> = {
  int32_t: "i32",
  uint32_t: "u32",
  int64_t: "i64",
  uint64_t: "u64",
  float: "f32",
  double: "f64",
};
const BYTES: Record<Scalar | "char", number> = { i32: 4, u32: 4, i64: 8, u64: 8, f32: 4, f64: 8, char: 1 };

/** Comments become spaces of the same number of lines, so that errors can name the line. */
function withoutComments(source: string): string {
  const stringOrComment = /"[^"\n]*"|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return source.replace(stringOrComment, (text) => text[0] === '"' ? text : text.replace(/[^\n]/g, " "));
}

/** Takes the preprocessor lines out and returns the constants they define. */
function preprocess(source: string, defines: Constant[]): string {
  const lines = source.split("\n");
  let cplusplus = false;
  return lines.map((line, index) => {
    const directive = /^\s*#\s*(\w+)\s*(.*?)\s*$/.exec(line);
    if (!directive) return cplusplus ? "" : line;
    const [, word, rest] = directive;
    const fail = () => new Error(`line ${index + 1}: cannot read the directive "${line.trim()}"`);
    if (word === "ifdef") {
      if (rest !== "__cplusplus") throw fail();
      cplusplus = true;
    } else if (word === "endif") {
      cplusplus = false;
    } else if (word === "define") {
      const constant = /^(LEET_\w+)\s+(?:(-?\d+)|"([^"\\]*)")$/.exec(rest);
      if (constant) defines.push({ name: constant[1], value: constant[3] ?? Number(constant[2]) });
      else if (rest !== "LEET_H" && !/^LEET_API\b/.test(rest)) throw fail();
    } else if (!["include", "ifndef", "if", "else"].includes(word)) {
      throw fail();
    }
    return "";
  }).join("\n");
}

/** Splits at the semicolons outside braces. */
function statements(source: string): { text: string; line: number }[] {
  const found: { text: string; line: number }[] = [];
  let depth = 0, start = 0;
  const take = (end: number) => {
    const raw = source.slice(start, end);
    const lead = raw.length - raw.trimStart().length;
    const line = source.slice(0, start + lead).split("\n").length;
    if (raw.trim()) found.push({ text: raw.trim().replace(/\s+/g, " "), line });
    start = end + 1;
  };
  for (let i = 0; i < source.length; i++) {
    if (source[i] === "{") depth++;
    else if (source[i] === "}") depth--;
    else if (source[i] === ";" && depth === 0) take(i);
    if (depth < 0) throw new Error(`line ${source.slice(0, i).split("\n").length}: unbalanced "}"`);
  }
  take(source.length);
  return found;
}

function readEnum(body: string): Constant[] {
  return body.split(",").map((text) => text.trim()).filter(Boolean).map((item) => {
    const match = /^(LEET_\w+) = (-?\d+)$/.exec(item);
    if (!match) throw new Error(`enumerator "${item}" is not NAME = number`);
    return { name: match[1], value: Number(match[2]) };
  });
}

/** Lays the fields out by natural alignment, as every C ABI that we run on does for these types. */
function readStruct(name: string, body: string, scalars: Record<string, Scalar>): CStruct {
  const fields: Field[] = [];
  let end = 0, alignment = 1;
  for (const declaration of body.split(";").map((text) => text.trim()).filter(Boolean)) {
    const match = /^(\w+) (.+)$/.exec(declaration);
    const type = match && (match[1] === "char" ? "char" : scalars[match[1]]);
    if (!type) throw new Error(`field "${declaration}" of ${name} has an unknown type`);
    for (const declarator of match[2].split(",").map((text) => text.trim())) {
      const field = /^(\w+)(?:\[(\d+)\])?$/.exec(declarator);
      if (!field) throw new Error(`field "${declaration}" of ${name} is neither a scalar nor an array`);
      const count = Number(field[2] ?? 1), bytes = BYTES[type];
      const offset = Math.ceil(end / bytes) * bytes;
      fields.push({ name: field[1], type, offset, count });
      end = offset + count * bytes;
      alignment = Math.max(alignment, bytes);
    }
  }
  if (fields[0]?.name !== "struct_size") throw new Error(`${name} does not start with struct_size`);
  return { name, size: Math.ceil(end / alignment) * alignment, fields };
}

function readParameter(text: string, scalars: Record<string, Scalar>, structs: CStruct[]): Parameter {
  const match = /^(?:const )?(\w+) (\*?)(\w+)$/.exec(text);
  if (!match) throw new Error(`parameter "${text}" is neither a scalar nor a pointer`);
  const [, type, star, name] = match;
  if (!star) {
    if (!scalars[type]) throw new Error(`parameter "${text}" has an unknown type`);
    return { name, kind: scalars[type], c: text };
  }
  if (type === "void" || type === "float") return { name, kind: "array", c: text };
  if (type === "char" || scalars[type] || structs.some((struct) => struct.name === type)) {
    return { name, kind: "buffer", c: text };
  }
  throw new Error(`parameter "${text}" points to an unknown type`);
}

/** Reads the text of leet.h. Pointers to `void` and `float` are tensor memory, every other pointer is host memory. */
export function parseHeader(text: string): Header {
  const header: Header = { defines: [], enums: [], structs: [], functions: [] };
  const scalars = { ...SCALARS };
  for (const { text: statement, line } of statements(preprocess(withoutComments(text), header.defines))) {
    try {
      let match: RegExpExecArray | null;
      if ((match = /^typedef (\w+) (\w+)$/.exec(statement)) && scalars[match[1]]) {
        scalars[match[2]] = scalars[match[1]];
      } else if ((match = /^enum \{(.*)\}$/.exec(statement))) {
        header.enums.push(readEnum(match[1]));
      } else if ((match = /^typedef struct (\w+) \{(.*)\} \1$/.exec(statement))) {
        header.structs.push(readStruct(match[1], match[2], scalars));
      } else if ((match = /^LEET_API leet_status (leet_\w+)\((.*)\)$/.exec(statement))) {
        const list = match[2].trim() === "void" ? [] : match[2].split(",").map((item) => item.trim());
        const parameters = list.map((item) => readParameter(item, scalars, header.structs));
        header.functions.push({ name: match[1], parameters });
      } else {
        throw new Error(`cannot read the declaration "${statement.slice(0, 80)}"`);
      }
    } catch (error) {
      throw new Error(`line ${line}: ${(error as Error).message}`);
    }
  }
  return header;
}

/** One row of status.def or methods.def: the arguments of the macro, numbers and strings converted. */
export type DefRow = (number | string)[];

/** Reads a .def table: lines `MACRO(1, NAME, "text")`. */
export function parseDef(text: string, macro: string): DefRow[] {
  const rows: DefRow[] = [];
  for (const [index, line] of withoutComments(text).split("\n").entries()) {
    if (!line.trim()) continue;
    const match = new RegExp(`^${macro}\\(((?:"[^"\\\\]*"|[^"()])*)\\)$`).exec(line.trim());
    if (!match) throw new Error(`line ${index + 1}: cannot read "${line.trim()}" as ${macro}(...)`);
    const items = match[1].match(/"[^"]*"|[^,\s][^,]*/g) ?? [];
    rows.push(items.map((item) => {
      if (item.startsWith('"')) return item.slice(1, -1);
      return /^-?\d+$/.test(item.trim()) ? Number(item) : item.trim();
    }));
  }
  return rows;
}
