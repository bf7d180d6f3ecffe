import { describe, InputError } from "./errors.ts";

/** One tensor, flattened; its shape is the training stack's own business. */
export type ParameterArray = Float32Array | Float64Array;

/** Named tensors: the documented form, and what every function returns. */
export type ParameterSet = Readonly<Record<string, ParameterArray>>;

/** What functions take: named tensors as an object or as a Map. */
export type ParameterInput = ParameterSet | ReadonlyMap<string, ParameterArray>;

/**
 * A string with `*` (any run of characters, separators included) and `?` (one character) that has to match the whole
 * name, or a regular expression that has to be found in it.
 */
export type NamePattern = string | RegExp;

/** One pattern or several; a name is masked if any matches. */
export type NamePatterns = NamePattern | readonly NamePattern[];

/** A set that was checked; order as given. */
export type Tensors = ReadonlyMap<string, ParameterArray>;

/** Where the tensors that are not masked lie in one flat vector: in the order of the set. */
export interface Layout {
  readonly segments: readonly { readonly name: string; readonly offset: number; readonly length: number }[];
  readonly size: number;
}

/**
 * Names that the patterns match, in the order of the set.
 *
 * @throws InputError on a pattern that matches none: a typing error would silently unmask.
 */
export function maskedNames(parameters: ParameterInput, patterns: NamePatterns): string[] {
  const tensors = readParameters(parameters, "parameters");
  const masked = matchNames(tensors, patterns, "patterns");
  return [...tensors.keys()].filter((name) => masked.has(name));
}

/**
 * Checks kinds, not values (those of masked tensors may be anything, see {@link checkFinite}).
 *
 * @throws InputError naming the tensor.
 */
export function readParameters(value: unknown, field: string): Tensors {
  const expected = "named Float32Array or Float64Array tensors";
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  if (!isObject || ArrayBuffer.isView(value)) throw new InputError(field, describe(value), expected);
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  if (entries.length === 0) throw new InputError(field, "no tensors", expected);
  for (const [name, tensor] of entries) {
    if (typeof name !== "string") throw new InputError(field, `the name ${describe(name)}`, "names");
    const kind = Object.prototype.toString.call(tensor);
    if (kind !== "[object Float32Array]" && kind !== "[object Float64Array]") {
      throw new InputError(tensorField(field, name), describe(tensor), "a Float32Array or a Float64Array");
    }
  }
  return new Map(entries as [string, ParameterArray][]);
}

/** @throws InputError naming tensor and entry, unless every entry of the tensors that are not masked is finite. */
export function checkFinite(tensors: Tensors, field: string, masked: ReadonlySet<string>): void {
  for (const [name, tensor] of tensors) {
    if (masked.has(name)) continue;
    const at = firstNonFinite(tensor);
    if (at >= 0)
      throw new InputError(`${tensorField(field, name)}[${at}]`, describe(tensor[at]), "a finite number");
  }
}

/**
 * Checks that `tensors` has the names and lengths of `like`; masked tensors may be missing.
 *
 * @throws InputError naming the tensor that is missing, unknown or of another length.
 */
export function checkSame(
  tensors: Tensors,
  field: string,
  like: Tensors,
  likeField: string,
  masked: ReadonlySet<string>,
): void {
  for (const name of tensors.keys()) {
    if (!like.has(name)) {
      throw new InputError(tensorField(field, name), "a tensor", `names of ${likeField} only`);
    }
  }
  for (const [name, { length }] of like) {
    const tensor = tensors.get(name);
    if (tensor === undefined) {
      if (masked.has(name)) continue;
      throw new InputError(
        tensorField(field, name),
        "nothing",
        `a tensor of ${length} entries as ${likeField}`,
      );
    }
    if (tensor.length !== length) {
      throw new InputError(tensorField(field, name), describe(tensor), `${length} entries as ${likeField}`);
    }
  }
}

/** A checked list of sets like `base`. @throws InputError naming list, index and tensor. */
export function readTaskVectors(
  value: unknown,
  field: string,
  base: Tensors,
  masked: ReadonlySet<string>,
): Tensors[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new InputError(field, describe(value), "an array of task vectors, at least one");
  }
  return Array.from(value, (set, t) => {
    const own = `${field}[${t}]`;
    const tensors = readParameters(set, own);
    checkSame(tensors, own, base, "base", masked);
    checkFinite(tensors, own, masked);
    return tensors;
  });
}

/**
 * Names matched by at least one pattern.
 *
 * @throws InputError on anything that is no pattern, and unless `mayMiss` on one that matches nothing: task vectors made
 *   with a mask do not have the masked tensors any more.
 */
export function matchNames(
  tensors: ReadonlyMap<string, unknown>,
  patterns: unknown,
  field: string,
  mayMiss = false,
): Set<string> {
  const masked = new Set<string>();
  if (patterns === undefined) return masked;
  const list: readonly unknown[] = Array.isArray(patterns) ? Array.from(patterns) : [patterns];
  list.forEach((pattern, i) => {
    const own = Array.isArray(patterns) ? `${field}[${i}]` : field;
    const expression = toExpression(pattern, own);
    let found = false;
    for (const name of tensors.keys()) {
      if (!expression.test(name)) continue;
      masked.add(name);
      found = true;
    }
    if (!found && !mayMiss) {
      const names = [...tensors.keys()].join(", ");
      throw new InputError(own, `${String(pattern)}, which matches no tensor`, `a match among ${names}`);
    }
  });
  return masked;
}

export function layoutOf(tensors: Tensors, masked: ReadonlySet<string>): Layout {
  let size = 0;
  const segments: { name: string; offset: number; length: number }[] = [];
  for (const [name, { length }] of tensors) {
    if (masked.has(name)) continue;
    segments.push({ name, offset: size, length });
    size += length;
  }
  return { segments, size };
}

/** The tensors of the layout as one vector, in double precision. */
export function flatten(tensors: Tensors, layout: Layout): Float64Array {
  const out = new Float64Array(layout.size);
  for (const { name, offset } of layout.segments) out.set(tensors.get(name)!, offset);
  return out;
}

/** Copies of all tensors of `base`, those of the layout replaced by `flat`, in the array types of `base`. */
export function unflatten(base: Tensors, layout: Layout, flat: Float64Array): ParameterSet {
  const out = new Map([...base].map(([name, tensor]) => [name, tensor.slice()]));
  for (const { name, offset, length } of layout.segments) {
    out.get(name)!.set(flat.subarray(offset, offset + length));
  }
  return Object.fromEntries(out);
}

export function firstNonFinite(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i]!)) return i;
  return -1;
}

export function tensorField(field: string, name: string): string {
  return `${field}["${name}"]`;
}

/** Without the flags that make `test` remember where it was. */
function toExpression(pattern: unknown, field: string): RegExp {
  if (pattern instanceof RegExp) return new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
  if (typeof pattern !== "string") {
    throw new InputError(field, describe(pattern), "a string with * and ?, or a RegExp");
  }
  const source = [...pattern].map((c) => {
    if (c === "*") return ".*";
    return c === "?" ? "." : c.replace(/[\\^$.|+()[\]{}]/g, "\\$&");
  });
  return new RegExp(`^${source.join("")}$`, "su");
}
