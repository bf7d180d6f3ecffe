import {
  type BeamformerDesign,
  certifyDesign,
  type DesignOptions,
  designBeamformers,
  type Effort,
  expectedEvaluation,
  type Scheme,
} from "../aircomp/index.ts";
import { randomStream } from "../core/index.ts";
import { ComplexStack } from "../linalg/index.ts";
import type { RankProblem } from "./scenario.ts";

/** The best design found for one rank, and what that took. */
export interface Settled {
  readonly design: BeamformerDesign;
  readonly distortion: number;
  readonly solves: number;
  readonly iterations: number;
}

/** Random subspaces that a search starts from beside two informed ones. */
const RANDOM_STARTS: Readonly<Record<Effort, number>> = { fast: 0, default: 4, thorough: 16 };

/** Largest noise variance that `designBeamformers` takes. */
const LARGEST_NOISE = 1e120;

/**
 * Whether the bound is infinite, and would be so at half the distortion: then settling is not worth its solves.
 *
 * @param rank (or number of symbols) whose bound at `distortion` is `gap`
 */
export function isHopeless(
  problem: RankProblem,
  rank: number,
  { gap, distortion }: { readonly gap: number; readonly distortion: number },
  design?: () => BeamformerDesign,
): boolean {
  return !Number.isFinite(gap) && !Number.isFinite(problem.boundAt(rank, distortion / 2, design).gap);
}

/**
 * The design of one rank with the full effort of the scenario. Subcarriers share nothing but the power budgets, so that
 * of several designs the best beamformer on each subcarrier makes a better start than any one of them, and the better
 * the more subcarriers there are. Such starts are made of quick designs from a few subspaces, at a noise raised to an
 * SNR of 0 dB where there are few minima, and of the design at hand, the scheme's own search, and those; the last is
 * searched from with full effort.
 *
 * @param warm a design for the powers of this rank
 * @param fresh also search from new starts; otherwise from `warm` alone, one that comes from a settled design
 * @returns the best of all; never worse than `warm`, nor than the scheme's own search with fresh starts
 */
export function settleDesign(
  problem: RankProblem,
  rank: number,
  warm: BeamformerDesign,
  fresh: boolean,
  signal: AbortSignal | undefined,
): Settled {
  const { channel, streams, noiseVariance, weights, correlation, solver } = problem;
  const { scheme, effort, seed } = solver;
  const { power } = problem.payloadAt(rank);
  const given = { channel, streams, weights, correlation, power, certificate: false, signal };
  const count = { solves: 0, iterations: 0 };
  const solve = (options: Partial<DesignOptions>): BeamformerDesign => {
    const design = designBeamformers({ ...given, noiseVariance, scheme, effort, seed, ...options });
    count.solves++;
    count.iterations += design.iterations;
    return design;
  };
  const pool = [warm];
  if (fresh) {
    pool.push(solve({}));
    const combined = fromSubspaces();
    if (combined !== undefined) pool.push(combined);
  }
  const start = signal?.aborted === true ? undefined : bestSubcarriers(problem, pool, noiseVariance);
  if (start !== undefined) pool.push(solve({ initial: { receive: start } }));
  const distortions = pool.map((design) => problem.distortionOf(design).distortion);
  const best = distortions.indexOf(Math.min(...distortions));
  return { design: pool[best]!, distortion: distortions[best]!, ...count };

  /** The best subcarriers of quick designs from informed and random subspaces, followed down to the true noise. */
  function fromSubspaces(): BeamformerDesign | undefined {
    const raised = raisedNoise(problem, power);
    const quick = (noise: number, receive: ComplexStack | undefined): BeamformerDesign | undefined => {
      if (receive === undefined || signal?.aborted === true) return undefined;
      return solve({ noiseVariance: noise, effort: "fast", initial: { receive } });
    };
    const starts: { scheme: Scheme; seed: number }[] = [
      { scheme: "mrc", seed: 1 },
      { scheme: "centroid", seed: 1 },
    ];
    const own = randomStream(seed, "settle-starts");
    for (let i = 0; i < RANDOM_STARTS[effort]; i++) {
      starts.push({ scheme: "random", seed: own.integer(2 ** 31) });
    }
    const designs = starts.flatMap((options) => {
      const basis = designBeamformers({ ...given, noiseVariance: raised, ...options });
      return quick(raised, bestSubcarriers(problem, [basis], raised)) ?? [];
    });
    let design = quick(raised, bestSubcarriers(problem, designs, raised));
    const ratio = raised / noiseVariance;
    const steps = ratio > 1 ? Math.max(1, Math.ceil(Math.log10(ratio) - 0.5)) : 0;
    for (let i = 1; i <= steps && design !== undefined; i++) {
      const noise = i === steps ? noiseVariance : noiseVariance * ratio ** (1 - i / steps);
      design = quick(noise, bestSubcarriers(problem, [design], noise));
    }
    return design;
  }
}

/** The chosen design with what no design of its rank's power can be below. */
export function certifiedDesign(
  problem: RankProblem,
  rank: number,
  design: BeamformerDesign,
  signal: AbortSignal | undefined,
): BeamformerDesign {
  const { channel, streams, noiseVariance, weights, correlation, solver } = problem;
  if (solver.effort === "fast" || signal?.aborted === true) return design;
  const { power } = problem.payloadAt(rank);
  const { effort } = solver;
  return certifyDesign(design, {
    channel,
    streams,
    noiseVariance,
    weights,
    correlation,
    power,
    effort,
    signal,
  });
}

/** The noise variance at which the mean device has an SNR of 0 dB, at least that of the problem. */
function raisedNoise({ channel, noiseVariance }: RankProblem, power: Float64Array): number {
  const { devices, subcarriers, matrices } = channel;
  const perDevice = matrices.data.length / devices;
  let strength = 0;
  for (let k = 0; k < devices; k++) {
    const gains = matrices.data.subarray(k * perDevice, (k + 1) * perDevice);
    strength += power[k]! * gains.reduce((sum, x) => sum + x * x, 0);
  }
  const raised = (2 * strength) / (perDevice * devices * subcarriers);
  return Math.max(noiseVariance, Math.min(raised, LARGEST_NOISE));
}

/**
 * On every subcarrier the receive beamformer of the design with the smallest MSE_m there, the first among equals.
 * Undefined without a design, and where all is zero, which is no start.
 */
function bestSubcarriers(
  { channel, weights, correlation }: RankProblem,
  designs: readonly BeamformerDesign[],
  noiseVariance: number,
): ComplexStack | undefined {
  const analog = designs.filter((design) => design.kind === "analog");
  if (analog.length === 0) return undefined;
  const errors = analog.map((design) => {
    const { perSubcarrier } = expectedEvaluation(channel, design, {
      noiseVariance,
      ...(weights === undefined ? {} : { weights }),
      ...(correlation === undefined ? {} : { correlation }),
    });
    return perSubcarrier;
  });
  const receive = new ComplexStack(analog[0]!.receive.shape);
  for (let m = 0; m < channel.subcarriers; m++) {
    let best = 0;
    for (let i = 1; i < analog.length; i++) if (errors[i]![m]! < errors[best]![m]!) best = i;
    receive.at(m).data.set(analog[best]!.receive.at(m).data);
  }
  return receive.data.some((x) => x !== 0) ? receive : undefined;
}
