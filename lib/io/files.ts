/** Tensor files by path, for Deno and Bun. The only part of lib/io that touches the file system. @module */

import {
  closeSync,
  fstatSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { LeetError } from "../errors.ts";
import { readNpy } from "./npy.ts";
import { readSafetensors, type SafetensorsFile } from "./safetensors.ts";
import { allocateBytes, type NumericTensor } from "./stored.ts";

/** Bytes per read or write call; the system takes less than 2 GiB at once. */
const PIECE = 1 << 30;

/** What each system error means for a path. */
const PROBLEMS: Readonly<Record<string, readonly [code: LeetError["code"], text: string]>> = {
  ENOENT: ["NOT_FOUND", "there is no such file or folder"],
  ENOTDIR: ["NOT_FOUND", "a part of the path is not a folder"],
  EACCES: ["PERMISSION_DENIED", "permission denied"],
  EPERM: ["PERMISSION_DENIED", "permission denied"],
  EROFS: ["PERMISSION_DENIED", "the file system is read-only"],
  ENOSPC: ["OUT_OF_RESOURCES", "no space left on the device"],
  EDQUOT: ["OUT_OF_RESOURCES", "the disk quota is used up"],
  EMFILE: ["OUT_OF_RESOURCES", "too many open files"],
  EIO: ["DEVICE_ERROR", "the device failed"],
};

function fileError(verb: "read" | "write", path: string, cause: unknown): LeetError {
  if (cause instanceof LeetError) return cause;
  const { name, code = "", message } = cause as Error & { code?: string };
  if (name === "NotCapable") {
    // Writing reads as well: whether the target exists, and the temporary file that is renamed.
    const permission = message.startsWith("Requires read") ? "read" : "write";
    const flag = `--allow-${permission}=${verb === "read" ? path : dirname(path)}`;
    return new LeetError("PERMISSION_DENIED", `cannot ${verb} ${path}: needs the permission ${flag}`, {
      argument: path,
      cause,
    });
  }
  const [leetCode, text] = PROBLEMS[code] ?? ["INVALID_ARGUMENT" as const, message];
  return new LeetError(leetCode, `cannot ${verb} ${path}: ${text}`, { argument: path, cause });
}

/**
 * The bytes of a regular file.
 * @throws LeetError NOT_FOUND, PERMISSION_DENIED, OUT_OF_MEMORY, INVALID_FILE when it is no regular file,
 * OUT_OF_RESOURCES, DEVICE_ERROR, or INVALID_ARGUMENT for a path that the system refuses
 */
export function readFile(path: string): Uint8Array<ArrayBuffer> {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const info = fstatSync(file);
    if (!info.isFile()) {
      throw new LeetError("INVALID_FILE", `cannot read ${path}: expected a regular file`, { argument: path });
    }
    const bytes = allocateBytes(info.size, path);
    let at = 0;
    while (at < bytes.length) {
      const count = readSync(file, bytes, at, Math.min(PIECE, bytes.length - at), at);
      if (count === 0) {
        throw new LeetError(
          "INVALID_FILE",
          `cannot read ${path}: expected ${bytes.length} bytes, got ${at}`,
          {
            argument: path,
          },
        );
      }
      at += count;
    }
    return bytes;
  } catch (cause) {
    throw fileError("read", path, cause);
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** A file to be written. */
export interface FileContent {
  /** Where to. */
  readonly path: string;
  /** What. */
  readonly bytes: Uint8Array;
}

/**
 * Writes files so that a failure changes nothing: each goes to a temporary file in the folder of its target, and only
 * when all are complete are they renamed. Devices and pipes are written directly.
 * @throws LeetError NOT_FOUND, PERMISSION_DENIED, INVALID_FILE when a target is a folder, OUT_OF_RESOURCES when the disk
 * is full, DEVICE_ERROR, or INVALID_ARGUMENT for a path that the system refuses
 */
export function writeFiles(files: readonly FileContent[]): void {
  const pending: { path: string; from: string; to: string }[] = [];
  const devices: FileContent[] = [];
  try {
    for (const file of files) {
      attempt(file.path, () => {
        const to = targetOf(file.path);
        if (to === undefined) return devices.push(file);
        const from = join(dirname(to), `.leet-${crypto.randomUUID()}.tmp`);
        pending.push({ path: file.path, from, to });
        return writeTo(from, "wx", file.bytes);
      });
    }
    for (const { path, bytes } of devices) attempt(path, () => writeTo(path, "w", bytes));
    while (pending.length > 0) {
      const { path, from, to } = pending[0];
      attempt(path, () => renameSync(from, to));
      pending.shift();
    }
  } finally {
    for (const { from } of pending) removeIfThere(from);
  }
}

/** Reads a safetensors file; its errors name the path. Arrays are views of the file's bytes. */
export function readSafetensorsFile(path: string): SafetensorsFile {
  return parse(path, readSafetensors);
}

/** Reads a .npy file; its errors name the path. */
export function readNpyFile(path: string): NumericTensor {
  return parse(path, readNpy);
}

function parse<T>(path: string, read: (bytes: Uint8Array) => T): T {
  const bytes = readFile(path);
  try {
    return read(bytes);
  } catch (cause) {
    if (!(cause instanceof LeetError)) throw cause;
    throw new LeetError(cause.code, `${path}: ${cause.message}`, { argument: path, cause });
  }
}

function attempt(path: string, write: () => unknown): void {
  try {
    write();
  } catch (cause) {
    throw fileError("write", path, cause);
  }
}

/** The path to rename to, links followed; undefined for a device or pipe, which a rename would replace. */
function targetOf(path: string): string | undefined {
  try {
    const info = statSync(path);
    if (info.isDirectory()) {
      throw new LeetError("INVALID_FILE", `cannot write ${path}: it is a folder`, { argument: path });
    }
    return info.isFile() ? realpathSync(path) : undefined;
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return path;
    throw error;
  }
}

function writeTo(path: string, flags: "w" | "wx", bytes: Uint8Array): void {
  const file = openSync(path, flags);
  try {
    let at = 0;
    while (at < bytes.length) at += writeSync(file, bytes, at, Math.min(PIECE, bytes.length - at));
  } finally {
    closeSync(file);
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It was never made, or the folder is gone: nothing is left behind either way.
  }
}
