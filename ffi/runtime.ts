/** What runtime this is and what it allows. Safe to import anywhere; nothing here ever makes Deno prompt. @module */

/** Runtimes told apart; `other` has no FFI that this library knows. */
export type RuntimeName = "deno" | "bun" | "other";

/* In Deno the first look at `process` loads its Node layer, some 30 ms, so the usual way does without it. */
interface Globals {
  readonly Deno?: typeof Deno;
  readonly process?: {
    readonly platform: string;
    readonly arch: string;
    readonly version?: string;
    readonly versions?: { readonly bun?: string };
    readonly env: { readonly [name: string]: string | undefined };
    getBuiltinModule?(name: string): unknown;
  };
  readonly navigator?: { readonly userAgent?: string };
}

const globals = globalThis as unknown as Globals;

/** The runtime that runs this. */
export function runtimeName(): RuntimeName {
  if (globals.Deno) return "deno";
  return globals.process?.versions?.bun ? "bun" : "other";
}

/** The runtime for messages, such as `Deno 2.9.6`. */
export function runtimeLabel(): string {
  if (globals.Deno) return `Deno ${globals.Deno.version.deno}`;
  const { process, navigator } = globals;
  if (process?.versions?.bun) return `Bun ${process.versions.bun}`;
  return process?.version ? `Node ${process.version}` : navigator?.userAgent ?? "this runtime";
}

/** Operating system and processor in the words of npm, such as `linux-x64`. */
export function platform(): string {
  return globals.process ? `${globals.process.platform}-${globals.process.arch}` : "an unknown platform";
}

/** Whether a permission is granted already. Runtimes other than Deno have none to ask for. */
export function granted(permission: Deno.PermissionDescriptor): boolean {
  return !globals.Deno || globals.Deno.permissions.querySync(permission).state === "granted";
}

/** An environment variable, or undefined when it is unset, empty or not readable. */
export function environment(variable: string): string | undefined {
  if (!granted({ name: "env", variable })) return undefined;
  return (globals.Deno ? globals.Deno.env.get(variable) : globals.process?.env[variable]) || undefined;
}

/** A module of the runtime, without an import statement that would fail in a browser. */
export function builtin<T>(name: string): T | undefined {
  return globals.process?.getBuiltinModule?.(name) as T | undefined;
}

/** The path of a file: URL. */
export function pathOfUrl({ pathname }: URL): string {
  return decodeURIComponent(pathname).replace(/^\/(?=[A-Za-z]:\/)/, "");
}

/** The absolute path without `.` and `..`; relative paths start at the working directory. */
export function absolutePath(path: string): string {
  const plain = /^(\/[^/.][^/]*)+$/.test(path);
  return plain ? path : builtin<typeof import("node:path")>("node:path")!.resolve(path);
}
