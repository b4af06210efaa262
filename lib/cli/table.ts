/** Tables, quantities and messages as plain text. @module */

/** A table column: its title, and whether its cells are numbers, which are aligned to the right. */
export interface Column {
  /** Printed above it. */
  readonly title: string;
  /** Align to the right. */
  readonly right?: boolean;
}

/** Rows under a header line; columns as wide as their widest cell, two spaces between them. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines
    .map((line) =>
      line.map((cell, i) => columns[i].right ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join("  ")
        .trimEnd()
    )
    .join("\n");
}

/** Three significant digits, never in exponent form between 0.001 and 999999. */
export function formatNumber(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size >= 999.5 && size < 1e6) return value.toFixed(0);
  return size >= 0.001 && size < 999.5 ? String(Number(value.toPrecision(3))) : value.toExponential(1);
}

/** A count with a decimal prefix: 1234567 is "1.23 M". */
export function formatCount(count: number): string {
  return scaled(count, 1000, ["", "k", "M", "G", "T", "P", "E"]);
}

/** Bytes with a binary prefix: 1536 is "1.5 KiB". */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]);
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let unit = 0;
  while (value >= step * 0.9995 && unit < units.length - 1) {
    value /= step;
    unit++;
  }
  return `${formatNumber(value)} ${units[unit]}`.trimEnd();
}

/** A message of several lines as one, without control characters that could forge output. */
export function oneLine(message: string): string {
  return message
    .split("\n")
    .map((line) => line.trim().replace(/^- /, ""))
    .filter((line) => line !== "")
    .reduce((text, line) => `${text}${text.endsWith(":") ? "" : ";"} ${line}`)
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
