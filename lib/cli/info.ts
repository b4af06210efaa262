/** `leet info`: versions, the native library, devices. @module */

import { runtimeLabel } from "../../ffi/runtime.ts";
import { LEET_ABI_VERSION, LEET_VERSION } from "../../ffi/symbols.ts";
import { devices, type LibraryInfo, openLibrary } from "../devices.ts";
import { LeetError } from "../errors.ts";
import type { Command, Output } from "./command.ts";
import { formatBytes, formatTable } from "./table.ts";

/** The command. */
export const infoCommand: Command = {
  summary: "show versions, the native library and the devices",
  usage: "info [--json]",
  description:
    "Shows what is installed. Exit code 1 when the native library cannot be opened; the text says why.",
  options: { json: { help: "print one JSON object" } },
  positionals: 0,
  async run({ values }, output) {
    const library = await openOrError();
    const failed = library instanceof LeetError;
    if (values.json !== undefined) printJson(library, output);
    else printText(library, output);
    if (failed) throw new LeetError(library.code, "the native library cannot be opened", { cause: library });
    return 0;
  },
};

async function openOrError(): Promise<LibraryInfo | LeetError> {
  try {
    return await openLibrary();
  } catch (error) {
    if (error instanceof LeetError) return error;
    throw error;
  }
}

/** What the version text of the library says it was built for. */
function builtFor({ version }: LibraryInfo): string {
  return /\bcuda\b/.test(version) ? "CPU and CUDA" : "CPU only";
}

function printJson(library: LibraryInfo | LeetError, output: Output): void {
  const common = { version: LEET_VERSION, abi: LEET_ABI_VERSION, runtime: runtimeLabel() };
  const found = library instanceof LeetError
    ? { library: null, error: { code: library.code, message: library.message } }
    : { library: { ...library, builtFor: builtFor(library) } };
  output.out(JSON.stringify({ ...common, ...found, devices: devices() }));
}

function printText(library: LibraryInfo | LeetError, output: Output): void {
  output.out(`leet ${LEET_VERSION} on ${runtimeLabel()}`);
  if (library instanceof LeetError) {
    output.out(`library: none (${library.code})`);
    for (const line of library.message.split("\n")) output.out(`  ${line}`);
  } else {
    output.out(`library: ${library.path}`);
    output.out(`  ${library.version}, C contract ${LEET_ABI_VERSION}, built for ${builtFor(library)}`);
  }
  const rows = devices().map(({ name, isa, units, memory, text }) => [
    name,
    isa,
    String(units),
    memory === 0 ? "-" : formatBytes(memory),
    text,
  ]);
  output.out("");
  output.out(
    formatTable(
      [{ title: "DEVICE" }, { title: "ISA" }, { title: "UNITS", right: true }, {
        title: "MEMORY",
        right: true,
      }, {
        title: "NAME",
      }],
      rows,
    ),
  );
}
