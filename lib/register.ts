/** Methods: those that come with the library, and the user's own. @module */
import { booleanOr, checkKeys, checkObject, refuse } from "./checks.ts";
import { show } from "./errors.ts";
import type { HeadMethod } from "./head.ts";
import { METHOD_TABLE, methodRow } from "./methods/table.ts";

/** A method of the user's own. */
export interface MethodRegistration {
  /** The name to call it by: a letter, then letters, digits, `-`, `_` or `.`, at most 64 characters. */
  name: string;
  /** What it is, in one line. */
  text?: string;
  /** Computes one head of one sequence on dense float32 arrays; see {@linkcode HeadCall}. */
  head: HeadMethod<Float32Array>;
  /** Replace a method that was registered under this name before. Default false. */
  replace?: boolean;
}

/** A method as {@linkcode methods} lists it. */
export interface MethodInfo {
  /** Its name in every interface. */
  readonly name: string;
  /** The algorithm and its source, in one line. */
  readonly text: string;
  /** Whether it comes with the library; otherwise it was registered. */
  readonly builtin: boolean;
}

const registered = new Map<string, { readonly text: string; readonly head: HeadMethod<Float32Array> }>();

const NAME = /^[A-Za-z][A-Za-z0-9._-]{0,63}$/;

/**
 * Makes a method of one's own available as `method: name` on the devices `auto` and `reference`. It is called once per
 * sequence and query head, on float32 copies of that head, and its results are stored when all heads are done, so an
 * exception out of it leaves the outputs untouched.
 *
 * @throws LeetError INVALID_METHOD for a name that is malformed, built in, or taken without `replace`
 */
export function registerMethod(registration: MethodRegistration): void {
  checkObject(registration, "registration", "{ name, head }");
  checkKeys(registration, "a field", ["name", "text", "head", "replace"]);
  const { name, text = "", head } = registration;
  const replace = booleanOr(registration.replace, "replace", false);
  if (typeof name !== "string") refuse("INVALID_ARGUMENT", "name", "a string", show(name));
  if (typeof text !== "string") refuse("INVALID_ARGUMENT", "text", "a string", show(text));
  if (typeof head !== "function") refuse("INVALID_ARGUMENT", "head", "a function", show(head));
  if (!NAME.test(name)) {
    refuse(
      "INVALID_METHOD",
      "name",
      "a letter, then letters, digits, '-', '_' or '.', at most 64",
      show(name),
    );
  }
  if (name === "auto" || methodRow(name)) {
    refuse("INVALID_METHOD", "name", "a name that is not built in", show(name));
  }
  if (registered.has(name) && !replace) {
    refuse("INVALID_METHOD", "name", "a name that is not taken, or replace: true", show(name));
  }
  registered.set(name, { text, head });
}

/** Forgets a registered method; false when there was none of that name. */
export function unregisterMethod(name: string): boolean {
  return registered.delete(name);
}

/** The head function of a registered method, or undefined. */
export function registeredHead(name: string): HeadMethod<Float32Array> | undefined {
  return registered.get(name)?.head;
}

/** Every method that `method` may name, without `auto`: the built-in ones, then the registered ones. */
export function methods(): MethodInfo[] {
  return [
    ...METHOD_TABLE.map(({ name, text }) => ({ name, text, builtin: true })),
    ...Array.from(registered, ([name, { text }]) => ({ name, text, builtin: false })),
  ];
}

/** The name of a method that exists, `auto` when undefined. */
export function checkMethod(value: unknown): string {
  if (value === undefined) return "auto";
  const known = (): string => ["auto", ...methods().map(({ name }) => name)].join(", ");
  if (typeof value !== "string") refuse("INVALID_ARGUMENT", "method", known(), show(value));
  if (value !== "auto" && !methodRow(value) && !registered.has(value)) {
    refuse("INVALID_METHOD", "method", known(), show(value));
  }
  return value;
}
