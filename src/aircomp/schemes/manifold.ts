import { randomStream } from "../../core/index.ts";
import { ComplexStack, qr, randomMatrix } from "../../linalg/index.ts";
import { type Candidate, createContinuation, noiseLevels, raisedNoise } from "../continuation.ts";
import { isDiagonal } from "../correlation.ts";
import type { Effort, Hooks, SchemeContext, SchemeResult } from "../scheme.ts";
import { bestAmplitude } from "../start.ts";
import { receiveSubspace } from "../subspaces.ts";
import { createBlockUpdates, type TransceiverProblem } from "../updates.ts";
import { forceAlignable } from "./uniform-forcing.ts";

/** How much an effort tries. */
interface Budget {
  /** Random starts at the noise of 0 dB, beside two informed ones. */
  readonly randomStarts: number;
  /** Random starts at the noise of -10 dB: they meet in fewer and better valleys. */
  readonly deepStarts: number;
  /** Of the uniform-forcing solution that one run starts from. */
  readonly forcing: Effort;
  /** How many runs go beyond 0 dB. */
  readonly finalists: number;
  /** The last descent ends when a few iterations together lower the cost by at most this fraction. */
  readonly tolerance: number;
  /** Most iterations of one descent. */
  readonly maxIterations: number;
}

const budgets: Readonly<Record<Effort, Budget>> = {
  fast: {
    randomStarts: 0,
    deepStarts: 0,
    forcing: "fast",
    finalists: 1,
    tolerance: 1e-4,
    maxIterations: 100,
  },
  default: {
    randomStarts: 8,
    deepStarts: 4,
    forcing: "default",
    finalists: 3,
    tolerance: 1e-8,
    maxIterations: 1000,
  },
  thorough: {
    randomStarts: 40,
    deepStarts: 20,
    forcing: "thorough",
    finalists: 10,
    tolerance: 1e-10,
    maxIterations: 5000,
  },
};

/** The tolerance of descents that only prepare the next one, and of those that find out which start is good. */
const ROUGH = 1e-4;
/** With more subcarriers the uniform-forcing solution costs as much as all else, and is no better start than others. */
const FORCED_SUBCARRIERS = 8;
const SCREEN = 1e-3;
/** A quick run from a given start ends when so few iterations find next to nothing: the start of a sweep is close. */
const NEAR = 3;
/** Runs whose costs at a level differ by less than this fraction have met. */
const SAME = 1e-3;

/**
 * `manifold`: the reduced problem Phi(A) = min_B sum_m MSE_m, minimised with L-BFGS from the manifold layer.
 *
 * At high SNR Phi has many local minima in narrow, curved valleys, at low SNR few in wide ones, and their order
 * hardly changes above 0 dB. So every run starts at a noise variance raised to an SNR of 0 or -10 dB and follows its
 * minimum down to the true noise in steps of about 10 dB (continuation). The first, from the better of two informed
 * subspaces, goes all the way. The others are compared at 0 dB: those that have met another are dropped, and only the
 * best go on. One more run starts from the uniform-forcing solution. Every iterate is a feasible design whose MSE at the true noise is known; the rows are the best so far.
 *
 * With a start of the caller's own there are two runs, from it at the true noise and from the better informed subspace
 * (with effort "fast" the first alone): neighbours in a sweep are quick, and do not inherit a bad minimum.
 */
export function manifoldScheme(problem: TransceiverProblem, context: SchemeContext): SchemeResult {
  const coupled = problem.correlation !== undefined && !isDiagonal(problem.correlation, problem.devices);
  const budget = coupled ? fewerStarts(budgets[context.effort]) : budgets[context.effort];
  const search = createContinuation(problem, context.hooks, budget.maxIterations);
  if (context.initial !== undefined) {
    const start = search.enter(context.initial);
    search.begin(start);
    if (context.effort === "fast") {
      search.settle(start, budget.tolerance, NEAR);
      return search.finish(budget.tolerance);
    }
    search.settle(start, budget.tolerance);
  }
  const levels = noiseLevels(problem);
  const deep = Math.max(raisedNoise(problem, -10), levels[0]!);
  /** From level to level. */
  const follow = (start: Float64Array, settled: boolean): Candidate[] => {
    const passed: Candidate[] = [];
    for (const [i, level] of levels.entries()) {
      const from = passed.at(-1)?.state ?? start;
      const last = i === levels.length - 1;
      passed.push(
        last && settled ? search.settle(from, budget.tolerance) : search.descend(from, level, ROUGH),
      );
    }
    return passed;
  };

  const [informed, other] = informedStarts(problem, levels[0]!, context.seed);
  const start = search.enter(informed!);
  if (context.initial === undefined) search.begin(start);
  const first = follow(start, true);
  if (context.initial !== undefined) return search.finish(budget.tolerance);

  // the design without misalignment is a good start at any SNR, once its amplitude fits
  const { hooks, seed } = context;
  const forced =
    problem.subcarriers <= FORCED_SUBCARRIERS
      ? forceAlignable(problem, { effort: budget.forcing, seed, hooks }).found.receive
      : new Float64Array(0);
  if (forced.some((x) => x !== 0) && forced.every(Number.isFinite)) {
    const { subcarriers, receiveAntennas, streams } = problem;
    const basis = new ComplexStack([subcarriers, receiveAntennas, streams], forced);
    search.descend(search.enter(scaledStart(problem, basis, 0)), 0, ROUGH);
  }

  if (coupled) {
    // the design for independent devices is close at high SNR, and quickly found
    const { correlation: _coupled, ...independent } = problem;
    const quick = manifoldScheme(independent, { ...context, effort: "fast", hooks: signalOnly(hooks) });
    if (quick.receive.some((x) => x !== 0)) search.descend(search.enter(quick.receive), 0, ROUGH);
  }

  const screened: Candidate[] = [];
  const screen = (start: Float64Array): void => {
    const found = search.descend(start, levels[0]!, SCREEN);
    const known = [first[0]!, ...screened];
    if (known.every(({ cost }) => Math.abs(found.cost - cost) > SAME * cost)) screened.push(found);
  };
  if (budget.randomStarts > 0) screen(search.enter(other!));
  const bases = randomStarts(problem, context.seed, budget.randomStarts + budget.deepStarts);
  bases.forEach((basis, i) => {
    const noise = i < budget.randomStarts ? levels[0]! : deep;
    const start = search.enter(scaledStart(problem, basis, noise));
    screen(noise > levels[0]! ? search.descend(start, noise, SCREEN).state : start);
  });
  screened.sort((a, b) => a.cost - b.cost);
  for (const { state } of screened.slice(0, budget.finalists - 1)) follow(state, false);
  return search.finish(budget.tolerance);
}

/** For correlated devices: the transmit side has more unknowns, and fewer minima. */
function fewerStarts(budget: Budget): Budget {
  const { randomStarts, deepStarts } = budget;
  return { ...budget, randomStarts: Math.ceil(randomStarts / 3), deepStarts: Math.ceil(deepStarts / 3) };
}

function signalOnly({ signal }: Hooks): Hooks {
  return signal === undefined ? {} : { signal };
}

/** Two cheap subspaces with their best amplitudes at the raised noise, the better one first. */
function informedStarts(problem: TransceiverProblem, extraNoise: number, seed: number): Float64Array[] {
  const raised = { ...problem, noiseVariance: problem.noiseVariance + extraNoise };
  const updates = createBlockUpdates(raised);
  const { devices, subcarriers, transmitAntennas: nt, streams } = problem;
  const starts = (["mrc", "centroid"] as const).map((name) => {
    const receive = scaledStart(problem, receiveSubspace(name, problem, seed), extraNoise);
    const transmit = new Float64Array(2 * devices * subcarriers * nt * streams);
    updates.transmit(transmit, receive);
    // one receive update shows what the start leads to: it frees the amplitudes of the single streams
    return { receive, mse: updates.receive(receive.slice(), transmit) };
  });
  return starts.sort((a, b) => a.mse - b.mse).map(({ receive }) => receive);
}

/** Uniformly random subspaces; start i does not depend on how many there are. */
function randomStarts(problem: TransceiverProblem, seed: number, count: number): ComplexStack[] {
  const { subcarriers, receiveAntennas: nr, streams } = problem;
  const stream = randomStream(seed, "manifold-starts");
  return Array.from({ length: count }, (_, i) => {
    const own = stream.split(i);
    const basis = new ComplexStack([subcarriers, nr, streams]);
    for (let m = 0; m < subcarriers; m++) basis.at(m).data.set(qr(randomMatrix(nr, streams, own)).q.data);
    return basis;
  });
}

/** The subspace with its best amplitude at the raised noise. */
function scaledStart(problem: TransceiverProblem, basis: ComplexStack, extraNoise: number): Float64Array {
  const raised = { ...problem, noiseVariance: problem.noiseVariance + extraNoise };
  const amplitude = bestAmplitude(raised, basis);
  return basis.data.map((x) => amplitude * x);
}
