/** `leet methods`: the algorithms. @module */

import { methods } from "../register.ts";
import type { Command } from "./command.ts";
import { formatTable } from "./table.ts";

/** The command. */
export const methodsCommand: Command = {
  summary: "list the methods and where they come from",
  usage: "methods [--json]",
  description:
    "Lists the algorithms that --method takes. They give the same result; `leet explain` tells what each costs.",
  options: { json: { help: "print an array of { name, text, builtin }" } },
  positionals: 0,
  run({ values }, output) {
    const list = methods();
    output.out(
      values.json !== undefined ? JSON.stringify(list) : formatTable(
        [{ title: "METHOD" }, { title: "ALGORITHM" }],
        list.map(({ name, text }) => [name, text]),
      ),
    );
    return 0;
  },
};
