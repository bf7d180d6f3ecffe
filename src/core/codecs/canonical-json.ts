/**
 * JSON text that is the same for the same value: keys in the order given, two spaces of indentation, an array of
 * numbers on one line, a newline at the end. Numbers are written so that they read back bit for bit, -0 included;
 * infinite ones become the strings "Infinity" and "-Infinity". Typed arrays are written as arrays, keys whose value
 * is undefined are left out.
 * @throws Error for what no result may hold: NaN, undefined entries, functions, symbols, bigints, cycles, and
 * objects that keep their content elsewhere (Map, Set, Date). That is a bug of the caller, not bad input.
 */
export function canonicalJson(value: unknown): string {
  return `${write(value, "value", "", new Set())}\n`;
}

function write(value: unknown, path: string, indent: string, ancestors: Set<object>): string {
  if (value === null || typeof value === "boolean" || typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number") return writeNumber(value, path);
  if (typeof value !== "object") throw new Error(`${path}: JSON cannot hold ${kindOf(value)}`);
  if (ancestors.has(value)) throw new Error(`${path}: JSON cannot hold a cycle`);
  ancestors.add(value);
  const text = isList(value)
    ? writeList(value, path, indent, ancestors)
    : writeObject(value, path, indent, ancestors);
  ancestors.delete(value);
  return text;
}

function writeNumber(value: number, path: string): string {
  if (Number.isNaN(value)) throw new Error(`${path}: JSON cannot hold NaN`);
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? "-0" : String(value);
}

function writeList(list: ArrayLike<unknown>, path: string, indent: string, ancestors: Set<object>): string {
  if (list.length === 0) return "[]";
  const inner = `${indent}  `;
  const items: string[] = [];
  let onlyNumbers = true;
  for (let i = 0; i < list.length; i++) {
    const item = list[i];
    onlyNumbers &&= typeof item === "number";
    // The path of a number is only built for the one that is refused: lists may hold millions.
    const isPlain = typeof item === "number" && !Number.isNaN(item);
    items.push(isPlain ? writeNumber(item, path) : write(item, `${path}[${i}]`, inner, ancestors));
  }
  return onlyNumbers ? `[${items.join(", ")}]` : `[\n${inner}${items.join(`,\n${inner}`)}\n${indent}]`;
}

function writeObject(value: object, path: string, indent: string, ancestors: Set<object>): string {
  const kind = kindOf(value);
  if (kind !== "Object") throw new Error(`${path}: JSON cannot hold a ${kind}`);
  const inner = `${indent}  `;
  const items: string[] = [];
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    items.push(`${inner}${JSON.stringify(key)}: ${write(item, `${path}.${key}`, inner, ancestors)}`);
  }
  return items.length === 0 ? "{}" : `{\n${items.join(",\n")}\n${indent}}`;
}

function isList(value: object): value is ArrayLike<unknown> & object {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/** The built-in kind of a value: Object, Map, Date, BigInt, Undefined. */
function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
