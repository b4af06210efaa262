/**
 * A strict JSON parser for headers of untrusted files. Unlike `JSON.parse` it refuses duplicate keys and deep nesting,
 * keeps objects as Maps (no `__proto__`), and does not round numbers.
 * @module
 */

/** Any JSON value. Numbers other than integers 0 .. 2^53 - 1 in plain digits stay text. */
export type JsonValue = null | boolean | number | string | JsonNumber | JsonValue[] | JsonObject;

/** A JSON object, keys in the order of the text. */
export type JsonObject = Map<string, JsonValue>;

/** A number that is not a plain non-negative integer. */
export interface JsonNumber {
  /** As written. */
  readonly text: string;
}

/** Nesting beyond this depth is refused; a header needs 3. */
const MAX_DEPTH = 16;

/** Called with what is wrong; must throw. */
export type Fail = (what: string) => never;

/** Parses one JSON value that fills the text up to trailing white space. */
export function parseJson(text: string, fail: Fail): JsonValue {
  const parser = new Parser(text, fail);
  const value = parser.value(0);
  parser.end();
  return value;
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const PLAIN = /^[0-9]+$/;
const [QUOTE, BACKSLASH, SPACE] = [0x22, 0x5c, 0x20];
const LITERALS: readonly (readonly [string, null | boolean])[] = [["null", null], ["true", true], [
  "false",
  false,
]];

class Parser {
  #at = 0;
  readonly #text: string;
  readonly #fail: Fail;

  constructor(text: string, fail: Fail) {
    this.#text = text;
    this.#fail = fail;
  }

  value(depth: number): JsonValue {
    if (depth > MAX_DEPTH) this.#wrong(`nested deeper than ${MAX_DEPTH} levels`);
    this.#space();
    const c = this.#text[this.#at];
    if (c === "{") return this.#object(depth);
    if (c === "[") return this.#array(depth);
    if (c === '"') return this.#string();
    if (c === "-" || (c >= "0" && c <= "9")) return this.#number();
    for (const [word, value] of LITERALS) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    return this.#unexpected("a value");
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) this.#unexpected("the end");
  }

  #object(depth: number): JsonObject {
    const object: JsonObject = new Map();
    this.#at++;
    if (this.#take("}")) return object;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#unexpected("a key in quotes");
      const key = this.#string();
      if (object.has(key)) this.#wrong(`duplicate key ${JSON.stringify(key.slice(0, 60))}`);
      if (!this.#take(":")) this.#unexpected('":"');
      object.set(key, this.value(depth + 1));
    } while (this.#take(","));
    if (!this.#take("}")) this.#unexpected('"," or "}"');
    return object;
  }

  #array(depth: number): JsonValue[] {
    const array: JsonValue[] = [];
    this.#at++;
    if (this.#take("]")) return array;
    do array.push(this.value(depth + 1)); while (this.#take(","));
    if (!this.#take("]")) this.#unexpected('"," or "]"');
    return array;
  }

  #string(): string {
    const begin = this.#at;
    let end = begin + 1, plain = true;
    for (let c = this.#code(end); c !== QUOTE; c = this.#code(++end)) {
      if (c !== c) this.#wrong("string without an end");
      if (c === BACKSLASH) end++;
      plain &&= c >= SPACE && c !== BACKSLASH;
    }
    this.#at = end + 1;
    if (plain) return this.#text.slice(begin + 1, end);
    let value: unknown;
    try {
      value = JSON.parse(this.#text.slice(begin, end + 1));
    } catch {
      value = undefined;
    }
    if (typeof value !== "string" || !value.isWellFormed()) {
      this.#at = begin;
      return this.#wrong("string with an invalid escape or control character");
    }
    return value;
  }

  #number(): number | JsonNumber {
    NUMBER.lastIndex = this.#at;
    const text = NUMBER.exec(this.#text)?.[0];
    if (text === undefined) return this.#unexpected("a number");
    this.#at += text.length;
    const value = Number(text);
    return PLAIN.test(text) && Number.isSafeInteger(value) ? value : { text };
  }

  /** NaN past the end. */
  #code(at: number): number {
    return this.#text.charCodeAt(at);
  }

  #space(): void {
    for (let c = this.#code(this.#at); c <= SPACE; c = this.#code(++this.#at)) {
      if (c !== SPACE && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
    }
  }

  #take(c: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== c) return false;
    this.#at++;
    return true;
  }

  #unexpected(expected: string): never {
    const c = this.#text[this.#at];
    return this.#wrong(`expected ${expected}, got ${c === undefined ? "the end" : JSON.stringify(c)}`);
  }

  #wrong(what: string): never {
    return this.#fail(`${what} at character ${this.#at}`);
  }
}
