/** Builds SVG and HTML as text; everything that is data is escaped. @module */

/** Text as it may stand in markup and in attributes. */
export function escape(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (c) => entities[c]);
}

/** Attributes by name; numbers are cut to a hundredth. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

function attributesOf(attributes: Attributes): string {
  return Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) =>
      ` ${name}="${typeof value === "number" ? Number(value.toFixed(2)) : escape(value!)}"`
    )
    .join("");
}

/** An element; `content` is markup. */
export function element(name: string, attributes: Attributes, ...content: string[]): string {
  return content.length === 0
    ? `<${name}${attributesOf(attributes)}/>`
    : `<${name}${attributesOf(attributes)}>${content.join("")}</${name}>`;
}

/** A text element of SVG. */
export function label(text: string, x: number, y: number, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, escape(text));
}

/** A line of SVG. */
export function line(x1: number, y1: number, x2: number, y2: number, attributes: Attributes): string {
  return element("line", { x1, y1, x2, y2, ...attributes });
}
