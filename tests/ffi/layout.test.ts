/** The generated tables against what the C++ compiler makes of leet.h. */
import { expect, test } from "vitest";
import * as symbols from "../../ffi/symbols.ts";
import { runCpp } from "./compile.ts";

/** Every struct of the table by its name in C. */
const STRUCTS: [c: string, layout: symbols.StructLayout][] = Object.entries(symbols).flatMap((
  [name, value],
) => typeof value === "object" && "fields" in value ? [[name.toLowerCase(), value]] : []);

/** A C++ type as the table names it; pointers to void and float are tensor memory. */
const KIND_OF_TYPE = `
#include <cstddef>
#include <cstdio>
#include <string>
#include <type_traits>
#include "leet.h"
template <class T> std::string kind() {
  using V = std::remove_cv_t<std::remove_pointer_t<T>>;
  if (std::is_pointer<T>::value) return std::is_void<V>::value || std::is_same<V, float>::value ? "array" : "buffer";
  if (std::is_same<T, char>::value) return "char";
  return (std::is_floating_point<T>::value ? "f" : std::is_signed<T>::value ? "i" : "u") + std::to_string(8 * sizeof(T));
}
template <class R, class... P> void print(const char *name, R (*)(P...)) {
  printf("%s %s", name, kind<R>().c_str());
  int each[] = {0, printf(" %s", kind<P>().c_str())...};
  (void)each;
  printf("\\n");
}
template <class T> void field(const char *name, size_t offset) {
  using E = std::remove_all_extents_t<T>;
  printf("%s %zu %s %zu\\n", name, offset, kind<E>().c_str(), sizeof(T) / sizeof(E));
}
`;

test("every struct has the size, offsets, types and counts that C gives it", () => {
  const lines = STRUCTS.flatMap(([struct, { fields }]) => [
    `printf("${struct} %zu\\n", sizeof(${struct}));`,
    ...Object.keys(fields).map((name) =>
      `field<decltype(${struct}::${name})>("${struct}.${name}", offsetof(${struct}, ${name}));`
    ),
  ]);
  const expected = STRUCTS.flatMap(([struct, { size, fields }]) => [
    `${struct} ${size}`,
    ...Object.entries(fields).map(([name, f]) => `${struct}.${name} ${f.offset} ${f.type} ${f.count}`),
  ]);
  expect(STRUCTS.length).toBeGreaterThanOrEqual(4);
  expect(runCpp(`${KIND_OF_TYPE}int main() { ${lines.join("\n")} }`).trim().split("\n")).toEqual(expected);
});

test("every function has the parameter kinds and the result that C gives it", () => {
  /* The type of the function is enough: nothing is linked. */
  const lines = Object.keys(symbols.SYMBOLS).map((name) => `print("${name}", (decltype(&${name}))nullptr);`);
  const declared = Object.entries(symbols.SYMBOLS).map(([name, { parameters, result }]) =>
    [name, result, ...parameters].join(" ")
  );
  expect(runCpp(`${KIND_OF_TYPE}int main() { ${lines.join("\n")} }`).trim().split("\n")).toEqual(declared);
});

test("every constant has the value that C gives it", () => {
  const names = Object.entries(symbols).filter(([, value]) => typeof value === "number").map(([name]) =>
    name
  );
  expect(names.length).toBeGreaterThan(40);
  const lines = names.map((name) => `printf("${name} %lld\\n", (long long)${name});`);
  const program = `${KIND_OF_TYPE}int main() { ${lines.join("\n")} printf("%s\\n", LEET_VERSION); }`;
  const expected = names.map((name) => `${name} ${symbols[name as keyof typeof symbols]}`);
  expect(runCpp(program).trim().split("\n")).toEqual([...expected, symbols.LEET_VERSION]);
});

test("the tables list every status and method of the enums", () => {
  for (const { name, code } of symbols.STATUS) expect(symbols).toHaveProperty(`LEET_${name}`, code);
  for (const { name, id } of symbols.METHODS) {
    expect(symbols).toHaveProperty(`LEET_METHOD_${name.toUpperCase()}`, id);
  }
});
