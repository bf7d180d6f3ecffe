import { checkInteger, checkNumbers, checkOptions, describe, InputError } from "../core/index.ts";

/** Numbers in a row as a training stack holds them; matrices are row-major. */
export type FlatArray = Float64Array | Float32Array | readonly number[];

/** A weight matrix dOut x dIn with LoRA factors: W = W0 + (alpha/rank) loraB loraA. */
export interface LoraShape {
  /** For messages and for finding a layer again; airfold does not read it. */
  readonly name?: string;
  readonly dOut: number;
  readonly dIn: number;
  readonly rank: number;
}

/** The factors of one layer, or their gradients. */
export interface LoraFactors {
  /** dOut x rank, row-major. */
  readonly loraB: FlatArray;
  /** rank x dIn, row-major. */
  readonly loraA: FlatArray;
}

/** What one device trains: the factors of every layer, in the order of the shapes. */
export interface LoraAdapter {
  readonly layers: readonly LoraFactors[];
}

/** Factors that airfold made; `rank` is theirs. */
export interface LowRankFactors {
  readonly rank: number;
  readonly loraB: Float64Array;
  readonly loraA: Float64Array;
}

/** An adapter that airfold made. */
export interface AggregatedAdapter {
  readonly layers: readonly LowRankFactors[];
}

/** Largest modulus of an entry: squared norms of products of factors must stay within double precision. */
const largestEntry = 1e70;
/** Largest dOut, dIn and rank. */
export const largestSize: number = 2 ** 20;

/** @throws InputError on sizes or ranks that are not whole numbers from 1 to 2^20. */
export function checkShapes(layers: readonly LoraShape[]): readonly LoraShape[] {
  if (!Array.isArray(layers) || layers.length === 0) {
    throw new InputError("layers", describe(layers), "at least one layer");
  }
  return layers.map((layer: LoraShape, i: number) => {
    const field = `layers[${i}]`;
    checkOptions(layer, field, ["name", "dOut", "dIn", "rank"]);
    if (layer.name !== undefined && typeof layer.name !== "string") {
      throw new InputError(`${field}.name`, describe(layer.name), "a string");
    }
    return {
      ...(layer.name === undefined ? {} : { name: layer.name }),
      dOut: checkInteger(layer.dOut, `${field}.dOut`, 1, largestSize),
      dIn: checkInteger(layer.dIn, `${field}.dIn`, 1, largestSize),
      rank: checkInteger(layer.rank, `${field}.rank`, 1, largestSize),
    };
  });
}

/** The entries of a factor. @throws InputError on another length, or an entry that is not finite or beyond 1e70. */
export function checkFactor(value: FlatArray, field: string, rows: number, columns: number): FlatArray {
  const expected = `${rows * columns} numbers, ${rows} x ${columns} row-major`;
  if (!["Float64Array", "Float32Array"].includes(typedArrayName(value)) && !Array.isArray(value)) {
    const kinds = "in a Float64Array, a Float32Array or an array of numbers";
    throw new InputError(field, describeArray(value), `${expected}, ${kinds}`);
  }
  if (value.length !== rows * columns) throw new InputError(field, describeArray(value), expected);
  for (let i = 0; i < value.length; i++) {
    const entry = value[i];
    if (typeof entry === "number" && Math.abs(entry) <= largestEntry) continue;
    throw new InputError(`${field}[${i}]`, describe(entry), "a finite number of modulus at most 1e70");
  }
  return value;
}

/**
 * One adapter whose factors have the ranks of the shapes.
 *
 * @throws InputError naming the factor, for example `adapters[2].layers[0].loraB`.
 */
export function checkAdapter(
  adapter: LoraAdapter,
  field: string,
  shapes: readonly LoraShape[],
): readonly LoraFactors[] {
  return layersOf(adapter, field, shapes).map((factors, i) => {
    const { dOut, dIn, rank } = shapes[i]!;
    const at = `${field}.layers[${i}]`;
    return {
      loraB: checkFactor(factors.loraB, `${at}.loraB`, dOut, rank),
      loraA: checkFactor(factors.loraA, `${at}.loraA`, rank, dIn),
    };
  });
}

/**
 * As {@link checkAdapter}, for a device with ranks of its own, which are read off the lengths of its factors.
 *
 * @param largest whether the rank of the shape is the largest that a device may have
 */
export function checkRankedAdapter(
  adapter: LoraAdapter,
  field: string,
  shapes: readonly LoraShape[],
  largest: boolean,
): readonly (LoraFactors & { readonly rank: number })[] {
  return layersOf(adapter, field, shapes).map((factors, i) => {
    const { dOut, dIn, rank: most } = shapes[i]!;
    const at = `${field}.layers[${i}]`;
    const rank = (factors.loraB?.length ?? Number.NaN) / dOut;
    if (!Number.isInteger(rank) || rank < 1 || (largest && rank > most)) {
      const limit = largest ? `from 1 to ${most}` : ">= 1";
      throw new InputError(
        `${at}.loraB`,
        describeArray(factors.loraB),
        `${dOut} x r numbers with a rank r ${limit}`,
      );
    }
    return {
      rank,
      loraB: checkFactor(factors.loraB, `${at}.loraB`, dOut, rank),
      loraA: checkFactor(factors.loraA, `${at}.loraA`, rank, dIn),
    };
  });
}

/** One weight per device, scaled to sum 1; 1/K each by default. @throws InputError if negative or all zero. */
export function shares(weights: ArrayLike<number> | undefined, devices: number): Float64Array {
  if (weights === undefined) return new Float64Array(devices).fill(1 / devices);
  const list = Float64Array.from(checkNumbers(weights, "weights", devices, 0));
  const largest = list.reduce((most, weight) => Math.max(most, weight), 0);
  if (largest === 0) throw new InputError("weights", "weights that sum to 0", "at least one weight > 0");
  const scaled = list.map((weight) => weight / largest);
  const total = scaled.reduce((sum, weight) => sum + weight, 0);
  return scaled.map((weight) => weight / total);
}

/** @throws InputError on no adapters at all. */
export function checkAdapterList(adapters: readonly LoraAdapter[]): readonly LoraAdapter[] {
  if (Array.isArray(adapters) && adapters.length > 0) return adapters;
  throw new InputError("adapters", describe(adapters), "an array of adapters, one per device");
}

/** "Int32Array", say; "" for anything that is no typed array. Holds for those of other realms too. */
function typedArrayName(value: unknown): string {
  return ArrayBuffer.isView(value) ? Object.prototype.toString.call(value).slice(8, -1) : "";
}

/** As `describe`, with the name of a typed array. */
function describeArray(value: unknown): string {
  const name = typedArrayName(value);
  const article = name.startsWith("Int") ? "an" : "a";
  return name === "" ? describe(value) : describe(value).replace("an array", `${article} ${name}`);
}

function layersOf(adapter: LoraAdapter, field: string, shapes: readonly LoraShape[]): readonly LoraFactors[] {
  if (adapter === null || typeof adapter !== "object") {
    throw new InputError(field, describe(adapter), "an object with layers");
  }
  const { layers } = adapter;
  if (!Array.isArray(layers) || layers.length !== shapes.length) {
    throw new InputError(`${field}.layers`, describe(layers), `factors of ${shapes.length} layers`);
  }
  layers.forEach((factors: unknown, i) => {
    if (factors !== null && typeof factors === "object") return;
    throw new InputError(`${field}.layers[${i}]`, describe(factors), "an object with loraB and loraA");
  });
  return layers as readonly LoraFactors[];
}
