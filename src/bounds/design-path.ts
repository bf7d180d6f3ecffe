import {
  type AnalogDesign,
  type BeamformerDesign,
  designBeamformers,
  expectedEvaluation,
  type Scheme,
} from "../aircomp/index.ts";
import { ComplexStack } from "../linalg/index.ts";
import type { RankProblem } from "./scenario.ts";

/** The designs of all ranks of a scenario, made when they are asked for, each from that of a neighbour. */
export interface DesignPath {
  /** The design of rank r; a function of the path and r, whatever was asked before. */
  at(rank: number): BeamformerDesign;
  /** omega of that design, as the bound uses it. */
  distortionAt(rank: number): number;
  /** How many designs have to be solved for these ranks: theirs and those that they start from. */
  solvesFor(ranks: Iterable<number>): number;
  /** Iterations of the scheme so far. */
  iterations(): number;
}

/** Designs by rank. */
export type Designs = Pick<DesignPath, "at" | "distortionAt">;

/** A design that a path starts from, and the rank it was made for. */
export interface PathRoot {
  readonly rank: number;
  readonly design: BeamformerDesign;
}

/** Schemes whose search starts from a given design: one short run from a neighbour's is enough. */
const continued: readonly Scheme[] = ["manifold", "alternating"];
/** Schemes without misalignment: their best design for c^2 times the power is (A / c, c B). */
const scaled: readonly Scheme[] = ["uniform-forcing", "sdr", "sca"];
/** Powers whose ratios differ by less than this from device to device have a common factor. */
const COMMON = 1e-12;

/** Whether the designs of this scheme depend on where the search for them starts, so that more effort may find better. */
export function isContinued(problem: RankProblem): boolean {
  return continued.includes(problem.solver.scheme);
}

/**
 * The path of designs of a scenario (docs/theory.md, section 3.6). omega depends on the rank through the powers alone,
 * and these fall with the rank: ranks of equal powers share one design. Without a root the path starts at the largest
 * rank, at the least power, where the problem has the fewest minima, and its first design is a "fast" one. The design
 * of rank r starts from that of r + lowbit(r), lowbit the largest power of two that divides r (with a root: of the
 * rank towards it), so every rank is at most log2(maxRank) short steps away, and any two share most of them.
 *
 * From power p to c^2 p the start is (A / c, c B): it keeps the misalignment, and divides what the noise costs by c^2.
 * So more power is never worse along the way.
 *
 * @param bits of a rank with more significant bits than this, the first step leads to the nearest one with as many: for
 *   long ranges of which few ranks are asked for. Default: all
 */
export function createDesignPath(
  problem: RankProblem,
  root?: PathRoot,
  signal?: AbortSignal,
  bits: number = Number.POSITIVE_INFINITY,
): DesignPath {
  const { channel, streams, noiseVariance, weights, correlation, solver } = problem;
  const { scheme, effort, seed } = solver;
  const groups = powerGroups(problem);
  const origin = groups.last(root?.rank ?? problem.maxRank);
  const known = new Map<number, BeamformerDesign>();
  if (root !== undefined) known.set(origin, root.design);
  const distortions = new Map<BeamformerDesign, number>();
  let iterations = 0;

  const distortionOf = (design: BeamformerDesign): number => {
    let distortion = distortions.get(design);
    if (distortion === undefined) {
      distortion = problem.distortionOf(design).distortion;
      distortions.set(design, distortion);
    }
    return distortion;
  };

  /** The rank, the last of its power, whose design that of `rank`, also the last of its power, starts from. */
  const parentOf = (rank: number): number => {
    if (rank < origin) {
      const unit = stride(rank, bits);
      return groups.last(Math.min(origin, unit * (Math.floor(rank / unit) + 1)));
    }
    const first = groups.first(rank);
    const unit = stride(first, bits);
    return groups.last(Math.max(origin, unit * (Math.ceil(first / unit) - 1)));
  };

  const solve = (rank: number, initial?: AnalogDesign): BeamformerDesign => {
    const design = designBeamformers({
      channel,
      streams,
      noiseVariance,
      weights,
      correlation,
      power: groups.power(rank),
      scheme,
      effort: isContinued(problem) ? "fast" : effort,
      seed,
      signal,
      certificate: false,
      ...(initial === undefined ? {} : { initial }),
    });
    iterations += design.iterations;
    return design;
  };

  /** The design at `rank` from that of its parent. */
  const follow = (rank: number, parent: number, from: BeamformerDesign): BeamformerDesign => {
    if (from.kind !== "analog" || !isUsable(from)) return solve(rank);
    const { factor, common } = scaleBetween(groups.power(parent), groups.power(rank));
    if (!(factor > 0)) return solve(rank);
    if (scaled.includes(scheme)) return common ? rescale(problem, from, factor) : solve(rank, from);
    if (!isContinued(problem)) return solve(rank);
    const start = rescaledBeams(from, factor);
    const design = solve(rank, { ...from, ...start });
    // only an aborted run, and what the cap says of a design for its bound, can end above the parent
    const fell = factor < 1 || distortionOf(design) <= distortionOf(from);
    return fell ? design : rescale(problem, from, factor);
  };

  const design = (rank: number): BeamformerDesign => {
    const last = groups.last(rank);
    let result = known.get(last);
    if (result === undefined) {
      if (last === origin || !isPassedOn(scheme)) {
        result = solve(last);
      } else {
        const parent = parentOf(last);
        result = follow(last, parent, design(parent));
      }
      known.set(last, result);
    }
    return result;
  };

  return {
    at: design,
    distortionAt: (rank) => distortionOf(design(rank)),
    solvesFor(ranks) {
      const needed = new Set<number>();
      for (const rank of ranks) {
        let last = groups.last(rank);
        while (!needed.has(last)) {
          needed.add(last);
          if (last === origin || !isPassedOn(scheme)) break;
          last = parentOf(last);
        }
      }
      if (root !== undefined) needed.delete(origin);
      if (!scaled.includes(scheme)) return needed.size;
      // what a common factor carries over needs no solve
      const solved = [...needed].filter((last) => {
        return last === origin || !scaleBetween(groups.power(parentOf(last)), groups.power(last)).common;
      });
      return solved.length;
    },
    iterations: () => iterations,
  };
}

/** Whether the designs of a scheme are made from one another. */
function isPassedOn(scheme: Scheme): boolean {
  return continued.includes(scheme) || scaled.includes(scheme);
}

/** The ranks of equal powers, which lie side by side as powers never grow with the rank. */
function powerGroups(problem: RankProblem): {
  power(rank: number): Float64Array;
  first(rank: number): number;
  last(rank: number): number;
} {
  const powers = new Map<number, Float64Array>();
  const power = (rank: number): Float64Array => {
    let found = powers.get(rank);
    if (found === undefined) {
      found = problem.payloadAt(rank).power;
      powers.set(rank, found);
    }
    return found;
  };
  const same = (a: number, b: number): boolean => power(a).every((p, k) => p === power(b)[k]);
  /** The rank furthest from `rank` towards `end` that has its powers. */
  const furthest = (rank: number, end: number): number => {
    if (same(rank, end)) return end;
    let inside = rank;
    let outside = end;
    while (Math.abs(outside - inside) > 1) {
      const middle = Math.trunc((inside + outside) / 2);
      if (same(rank, middle)) inside = middle;
      else outside = middle;
    }
    return inside;
  };
  return { power, first: (rank) => furthest(rank, 1), last: (rank) => furthest(rank, problem.maxRank) };
}

/** The largest power of two that divides a whole number >= 1; with more significant bits than `bits` the last of these. */
function stride(n: number, bits: number): number {
  const last = Math.max(1, 2 ** (Math.floor(Math.log2(n)) - bits + 1));
  const multiple = n / last;
  return Number.isInteger(multiple) ? last * lowbit(multiple) : last;
}

/** The largest power of two that divides a whole number >= 1. */
function lowbit(n: number): number {
  return n & -n;
}

/** At every rank the better of two designs; both, and so this, are functions of the rank alone. */
export function lowerDesigns(old: Designs, path: Designs): Designs {
  return {
    at: (rank) => (path.distortionAt(rank) < old.distortionAt(rank) ? path : old).at(rank),
    distortionAt: (rank) => Math.min(path.distortionAt(rank), old.distortionAt(rank)),
  };
}

/** c^2: what all powers can be multiplied by within the new budgets; common where that uses all of them up. */
function scaleBetween(from: Float64Array, to: Float64Array): { factor: number; common: boolean } {
  let least = Number.POSITIVE_INFINITY;
  let most = 0;
  from.forEach((power, k) => {
    if (power === 0) return;
    least = Math.min(least, to[k]! / power);
    most = Math.max(most, to[k]! / power);
  });
  const factor = Number.isFinite(least) ? least : 0;
  return { factor, common: most - factor <= COMMON * most };
}

/** Receive beamformers of zero, the best for a channel of zero, are no start. */
function isUsable(design: AnalogDesign): boolean {
  return design.reason !== "infeasible" && design.receive.data.some((x) => x !== 0);
}

/** (A / c, c B) for c^2 times the power. */
function rescaledBeams(design: AnalogDesign, factor: number): Pick<AnalogDesign, "receive" | "transmit"> {
  const c = Math.sqrt(factor);
  const times = (stack: ComplexStack, by: number): ComplexStack =>
    new ComplexStack(
      stack.shape,
      stack.data.map((x) => by * x),
    );
  return { receive: times(design.receive, 1 / c), transmit: times(design.transmit, c) };
}

/** The design with its beamformers rescaled for c^2 times the power, and the MSE that they then have. */
function rescale(problem: RankProblem, design: AnalogDesign, factor: number): AnalogDesign {
  const { channel, noiseVariance, weights, correlation } = problem;
  const moved = { ...design, ...rescaledBeams(design, factor) };
  const { mse, distortion } = expectedEvaluation(channel, moved, {
    noiseVariance,
    ...(weights === undefined ? {} : { weights }),
    ...(correlation === undefined ? {} : { correlation }),
  });
  return { ...moved, mse, distortion, iterations: 0, rows: [{ iteration: 0, mse }] };
}
