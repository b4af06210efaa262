/** Finds and opens libleet.so, at first use and not before. @module */
import { LeetError, wrongArgument } from "../lib/errors.ts";
import { type BunFfi, bunLibrary } from "./bun.ts";
import { denoLibrary } from "./deno.ts";
import {
  absent,
  denied,
  dlopenFailure,
  type Failure,
  isElsewhere,
  libraryError,
  mismatch,
} from "./failure.ts";
import { makeNative, type Native } from "./native.ts";
import {
  absolutePath,
  builtin,
  environment,
  granted,
  pathOfUrl,
  platform,
  runtimeLabel,
  runtimeName,
} from "./runtime.ts";
import { LEET_ABI_VERSION, LEET_VERSION } from "./symbols.ts";
import { withTrace } from "./trace.ts";

/** Where to look for the library. */
export interface OpenOptions {
  /** The file to open, relative to the working directory; nothing else is tried then. */
  libPath?: string | URL;
}

/** npm package whose `getLibraryPath()` names the file; it depends on one package for each platform. */
const LOCATOR = "@leet/native";

const UNREAD_LEET_LIB: Failure = {
  place: "LEET_LIB",
  kind: "unread",
  why: "reading it needs the permission --allow-env=LEET_LIB",
  remedy: "where LEET_LIB is set, run again with --allow-env=LEET_LIB",
};

const REMOTE: Failure = {
  place: "beside the module",
  kind: "remote",
  why: "the module was not loaded from a file",
  remedy: `call \`await openLibrary()\` once before the first call: it opens npm:${LOCATOR}`,
};

const byPath = new Map<string, Native>();
let first: Native | undefined;

/**
 * Opens the library, or returns it when it is open. Without `libPath` that is the one opened first; else the places
 * are `LEET_LIB` where it is set and may be read, or the local build and then the package of the platform.
 *
 * @throws LeetError LIBRARY_NOT_FOUND, PERMISSION_DENIED (it names the flag) or LIBRARY_MISMATCH (another version of
 * the C contract); the message lists every place tried, the cause at each, and what to do
 */
export function openNative(options: OpenOptions = {}): Native {
  const { native, failures } = search(options);
  if (!native) throw libraryError(failures);
  return native;
}

/**
 * As {@linkcode openNative}; and where there is nothing beside the module, as when Deno loaded it from a registry, the
 * library comes from the npm package `@leet/native`.
 *
 * @throws LeetError as openNative
 */
export async function loadNative(options: OpenOptions = {}): Promise<Native> {
  const { native, failures, exclusive } = search(options);
  if (native) return native;
  if (exclusive || !failures.every(isElsewhere) || runtimeName() !== "deno") throw libraryError(failures);
  return await locate(failures.filter(({ kind }) => kind !== "remote"));
}

interface Found {
  native?: Native;
  failures: Failure[];
  /** The user named the one file to open. */
  exclusive: boolean;
}

function search({ libPath }: OpenOptions): Found {
  if (libPath === undefined && first) return { native: first, failures: [], exclusive: false };
  const runtime = runtimeName();
  if (runtime === "other") {
    const why = "it has no FFI that this library knows";
    return { failures: [absent(runtimeLabel(), why, "run the program with Deno or Bun")], exclusive: true };
  }
  const named = libPath !== undefined ? filePath(libPath) : environment("LEET_LIB");
  if (named !== undefined) {
    const path = absolutePath(named);
    const origin = libPath !== undefined ? "libPath" : "LEET_LIB";
    const native = tryOpen(`${origin} ${path}`, path, `check the path that ${origin} gives`);
    return "kind" in native
      ? { failures: [native], exclusive: true }
      : { native, failures: [], exclusive: true };
  }
  const failures: Failure[] = [];
  if (!granted({ name: "env", variable: "LEET_LIB" })) failures.push(UNREAD_LEET_LIB);
  if (!import.meta.url.startsWith("file:")) return { failures: [...failures, REMOTE], exclusive: false };
  for (const candidate of [localBuild, platformPackage]) {
    const native = candidate();
    if (!("kind" in native)) return { native, failures, exclusive: false };
    failures.push(native);
  }
  return { failures, exclusive: false };
}

function filePath(libPath: string | URL): string {
  if (typeof libPath === "string" && libPath !== "") return libPath;
  if (libPath instanceof URL && libPath.protocol === "file:") return pathOfUrl(libPath);
  throw wrongArgument("libPath", "a path or a file: URL", libPath instanceof URL ? libPath.href : libPath);
}

/** Opens one file and makes sure that it speaks our version of the C contract. */
function tryOpen(place: string, path: string, remedy: string): Native | Failure {
  const open = byPath.get(path);
  if (open) return open;
  if (!granted({ name: "ffi", path })) return denied(place, path);
  let version: { text: string; abi: number };
  const library = runtimeName() === "deno"
    ? denoLibrary(path)
    : bunLibrary(path, builtin<BunFfi>("bun:ffi")!);
  const native = withTrace(makeNative(library));
  try {
    version = native.version();
  } catch (cause) {
    if (cause instanceof LeetError) return mismatch(place, `leet_version failed: ${cause.message}`, cause);
    return dlopenFailure(place, path, remedy, cause);
  }
  if (version.abi !== LEET_ABI_VERSION) {
    const got = `version ${version.abi} of the C contract (${version.text})`;
    return mismatch(place, `expected version ${LEET_ABI_VERSION} of the C contract, got ${got}`);
  }
  byPath.set(path, native);
  first ??= native;
  return native;
}

/** build/libleet.so of the checkout; the bundle build/npm/leet.js lies one folder deeper than this file. */
function localBuild(): Native | Failure {
  const relative = import.meta.url.endsWith("/leet.js") ? "../libleet.so" : "../build/libleet.so";
  const remedy = "in a checkout, build it: npm run build";
  if (!import.meta.url.startsWith("file:")) {
    return absent("local build", "the module is not a local file", remedy);
  }
  const path = pathOfUrl(new URL(relative, import.meta.url));
  return tryOpen(`local build ${path}`, path, remedy);
}

/** The npm package of this platform, when this module is a local file too. */
function platformPackage(): Native | Failure {
  const name = `@leet/${platform()}`, place = `package ${name}`;
  const add = runtimeName() === "deno" ? `deno add npm:${name}` : `bun add ${name}`;
  const remedy = `install the package: ${add}`;
  const { url } = import.meta;
  /* Inside node_modules Deno resolves without a permission; elsewhere it would ask the user for one. */
  const folder = pathOfUrl(new URL("../node_modules", url));
  if (!url.includes("/node_modules/") && !granted({ name: "read", path: folder })) {
    return { place, kind: "unread", why: `looking needs the permission --allow-read=${folder}`, remedy };
  }
  let path: string;
  try {
    path = builtin<typeof import("node:module")>("node:module")!.createRequire(url).resolve(
      `${name}/libleet.so`,
    );
  } catch (cause) {
    const missing = (cause as { code?: string }).code === "MODULE_NOT_FOUND";
    return absent(place, missing ? "not installed" : (cause as Error).message, remedy, cause);
  }
  return tryOpen(`${place} ${path}`, path, remedy);
}

/** Asks the npm locator package, which Deno fetches at the version of this module. */
async function locate(failures: Failure[]): Promise<Native> {
  const specifier = `npm:${LOCATOR}@${LEET_VERSION}`;
  const remedy = `in a project with a package.json, run: deno add ${specifier}`;
  let path: string;
  try {
    path = (await import(specifier)).getLibraryPath();
  } catch (cause) {
    throw libraryError([
      ...failures,
      absent(specifier, (cause as Error).message.split("\n")[0], remedy, cause),
    ]);
  }
  const native = tryOpen(`${specifier} ${path}`, path, remedy);
  if ("kind" in native) throw libraryError([...failures, native]);
  return native;
}
