/** Non-IID splits of a data set over clients. */
import {
  checkInteger,
  checkNumber,
  checkOptions,
  checkSeed,
  describe,
  InputError,
  type RandomStream,
  randomStream,
} from "../core/index.ts";

export interface PartitionOptions {
  /** K */
  readonly clients: number;
  /** Concentration, 1e-6 to 1e9: small ones give every label (or the data) to few clients, large ones share evenly. */
  readonly alpha: number;
  readonly seed: number;
  /** Samples that every client has at least; unlucky draws are drawn again. Default 0. */
  readonly minimumPerClient?: number;
  /** Draws at most. Default 1000. */
  readonly maxDraws?: number;
}

export interface LabelPartitionOptions extends PartitionOptions {
  /** One per sample, whole numbers or names. */
  readonly labels: ArrayLike<number | string>;
}

export interface QuantityPartitionOptions extends PartitionOptions {
  /** How many there are. */
  readonly samples: number;
}

const names = ["clients", "alpha", "seed", "minimumPerClient", "maxDraws"];
const MOST_SAMPLES = 2 ** 28;
/** Of labels and clients: what has to be kept at once. */
const MOST_PAIRS = 2 ** 28;

/**
 * Label skew: the samples of every label go to the clients in proportions drawn from Dirichlet(alpha, ..., alpha) (Hsu, Qi
 * and Brown, "Measuring the effects of non-identical data distribution for federated visual classification",
 * arXiv:1909.06335; by label as in Yurochkin et al., ICML 2019). Within a label they are shuffled.
 *
 * Labels have streams of their own, named by their place in the order of first appearance.
 *
 * @returns the indices of every client in ascending order; every sample belongs to exactly one client
 * @throws InputError where `minimumPerClient` is out of reach, or was not reached in `maxDraws` draws.
 */
export function dirichletPartition(options: LabelPartitionOptions): Uint32Array[] {
  checkOptions(options, "dirichletPartition", ["labels", ...names]);
  const classes = byLabel(options.labels);
  return partition(options, options.labels.length, classes);
}

/**
 * Quantity skew: the shuffled samples are dealt in proportions drawn from Dirichlet(alpha, ..., alpha), whatever their
 * labels.
 *
 * @returns and throws as {@link dirichletPartition}
 */
export function quantityPartition(options: QuantityPartitionOptions): Uint32Array[] {
  checkOptions(options, "quantityPartition", ["samples", ...names]);
  const samples = checkInteger(options.samples, "samples", 1, MOST_SAMPLES);
  return partition(options, samples, [Uint32Array.from({ length: samples }, (_, i) => i)]);
}

/**
 * A draw of Dirichlet(alpha, ..., alpha) in `out`. In logarithms, because for small alpha most of the gamma draws are below
 * 1e-308: log of a gamma(alpha) draw is that of a gamma(alpha + 1) draw plus log(uniform)/alpha.
 */
export function drawDirichlet(alpha: number, stream: RandomStream, out: Float64Array): void {
  let largest = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < out.length; k++) {
    out[k] = Math.log(drawGamma(alpha + 1, stream)) + Math.log(1 - stream.uniform()) / alpha;
    largest = Math.max(largest, out[k]!);
  }
  let sum = 0;
  for (let k = 0; k < out.length; k++) {
    out[k] = Math.exp(out[k]! - largest);
    sum += out[k]!;
  }
  for (let k = 0; k < out.length; k++) out[k]! /= sum;
}

/** A draw of the gamma distribution of this shape >= 1 and scale 1 (Marsaglia and Tsang, ACM TOMS 26(3), 2000). */
export function drawGamma(shape: number, stream: RandomStream): number {
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = stream.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - stream.uniform()) < (x * x) / 2 + d * (1 - v + Math.log(v))) return d * v;
  }
}

function partition(
  options: PartitionOptions,
  samples: number,
  classes: readonly Uint32Array[],
): Uint32Array[] {
  const clients = checkInteger(options.clients, "clients", 1, 2 ** 20);
  const alpha = checkNumber(options.alpha, "alpha", 1e-6, 1e9);
  const seed = checkSeed(options.seed);
  const least = checkInteger(options.minimumPerClient ?? 0, "minimumPerClient");
  const maxDraws = checkInteger(options.maxDraws ?? 1000, "maxDraws", 1, 1e6);
  if (least * clients > samples) {
    const found = `${least} samples for each of ${clients} clients`;
    throw new InputError("minimumPerClient", found, `no more than the ${samples} samples that there are`);
  }
  if (classes.length * clients > MOST_PAIRS) {
    throw new InputError("clients", `${clients} for ${classes.length} labels`, `at most ${MOST_PAIRS} pairs`);
  }
  const sizes = new Float64Array(clients);
  const bounds = classes.map(() => new Uint32Array(clients + 1));
  const shares = new Float64Array(clients);
  let best = -1;
  for (let draw = 0; draw < maxDraws; draw++) {
    sizes.fill(0);
    classes.forEach((members, c) => {
      drawDirichlet(alpha, randomStream(seed, "dirichlet", draw, c), shares);
      cut(members.length, shares, bounds[c]!);
      for (let k = 0; k < clients; k++) sizes[k]! += bounds[c]![k + 1]! - bounds[c]![k]!;
    });
    const smallest = sizes.reduce((least, size) => Math.min(least, size), Number.POSITIVE_INFINITY);
    if (smallest >= least) return deal(classes, bounds, sizes, seed);
    best = Math.max(best, smallest);
  }
  throw new InputError(
    "minimumPerClient",
    `${least}, where the smallest client of the best of ${maxDraws} draws has ${best} samples`,
    "a smaller minimum, a larger alpha or more draws (maxDraws)",
  );
}

/** Where the members of each client begin: shares summed up and rounded, so that no member is left over. */
function cut(members: number, shares: Float64Array, bounds: Uint32Array): void {
  let sum = 0;
  for (let k = 0; k < shares.length; k++) {
    sum += shares[k]!;
    bounds[k + 1] = Math.min(members, Math.max(bounds[k]!, Math.round(members * sum)));
  }
  bounds[shares.length] = members;
}

/** Which samples of a label go where does not depend on how many draws the proportions took. */
function deal(
  classes: readonly Uint32Array[],
  bounds: readonly Uint32Array[],
  sizes: Float64Array,
  seed: number,
): Uint32Array[] {
  const out = Array.from(sizes, (size) => new Uint32Array(size));
  const filled = new Float64Array(sizes.length);
  classes.forEach((members, c) => {
    const order = randomStream(seed, "shuffle", c).permutation(members.length);
    for (let k = 0; k < out.length; k++) {
      for (let i = bounds[c]![k]!; i < bounds[c]![k + 1]!; i++) out[k]![filled[k]!++] = members[order[i]!]!;
    }
  });
  for (const indices of out) indices.sort();
  return out;
}

/** Indices by label, in the order of first appearance. */
function byLabel(labels: ArrayLike<number | string>): Uint32Array[] {
  const isList = Array.isArray(labels) || (ArrayBuffer.isView(labels) && !(labels instanceof DataView));
  if (!isList || labels.length === 0) {
    throw new InputError("labels", describe(labels), "an array of labels, one per sample");
  }
  const groups = new Map<number | string, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (typeof label !== "string") checkInteger(label, `labels[${i}]`, Number.MIN_SAFE_INTEGER);
    const members = groups.get(label);
    if (members === undefined) groups.set(label, [i]);
    else members.push(i);
  }
  return [...groups.values()].map((members) => Uint32Array.from(members));
}
