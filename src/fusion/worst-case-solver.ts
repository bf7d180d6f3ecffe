/**
 * The worst covariance of a jammer's antennas where there is no closed form: an interior-point method on the
 * factor C of J = C C^H, with a certificate that holds at every feasible J.
 */
import { InputError } from "../core/index.ts";
import {
  type ComplexMatrix,
  conjugateTranspose,
  eigHermitian,
  frobeniusNorm,
  fromDiagonal,
  hermitianPart,
  identity,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  scale,
} from "../linalg/index.ts";
import { addDiagonal, realTrace, scaledColumns } from "./covariance.ts";
import {
  type Certificate,
  certify,
  evaluate,
  type JammingProblem,
  type Model,
} from "./worst-case-certificate.ts";
import { solveNewton } from "./worst-case-newton.ts";

export interface JammingSolution {
  /** J, r x r, tr J = power. */
  readonly jamming: ComplexMatrix;
  readonly objective: number;
  /** -d objective / d power, at most (an upper bound by the certificate). */
  readonly multiplier: number;
  /** objective - minimum is at most this. */
  readonly gap: number;
  readonly iterations: number;
  readonly reason: "gap" | "stalled" | "max-iterations";
}

const largestStalls = 4;
/** Share of the way to the boundary that a step may go. */
const reachOfStep = 0.95;

/**
 * Primal-dual path following. The optimum is where R = nu I - slack with slack >= 0 and J slack = 0 (R the
 * negative gradient); the iteration follows J slack = mu I to mu = 0. With the scaling of Nesterov and Todd, J =
 * C diag(d) C^H and slack = C^-H diag(d) C^-1, the Newton step J + C X C^H solves R X S + S X R + X = R + mu
 * diag(1/d) - nu C^H C in these coordinates; once R is diagonal (a rotation of C) the left is one matrix product,
 * and its diagonal r_i s_j + s_i r_j + 1 preconditions the conjugate gradients.
 */
export function solveJamming(
  problem: JammingProblem,
  tolerance: number,
  maxIterations: number,
): JammingSolution | undefined {
  try {
    return follow(problem, tolerance, maxIterations);
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

function follow(
  problem: JammingProblem,
  tolerance: number,
  maxIterations: number,
): JammingSolution | undefined {
  const scaledProblem = normalised(problem);
  const r = problem.channel.cols;
  let iterate = start(scaledProblem);
  if (iterate === undefined) return undefined;
  let best: Certificate = { objective: 0, gap: Number.POSITIVE_INFINITY, multiplier: 0 };
  let bestFactor = iterate.factor;
  let iterations = 0;
  let stalls = 0;
  let centring = 0.1;
  let reason: JammingSolution["reason"] = "max-iterations";

  for (;;) {
    const frame = scalingOf(iterate);
    const model = evaluate(scaledProblem, iterate.factor, frame.scaling);
    const mu = realTrace(iterate.product) / r;
    const last = model === undefined || iterations >= maxIterations;
    // On the central path the gap is r mu: the certificate is worth its eigenvalues only near the end.
    if (iterations === 0 || last || r * mu <= 2 * tolerance * Math.abs(model.objective)) {
      const found = certify(scaledProblem, iterate.factor, model?.objective ?? 0);
      stalls = found.gap < best.gap ? 0 : stalls + 1;
      if (found.gap < best.gap) {
        best = found;
        bestFactor = iterate.factor;
      }
      if (best.gap <= tolerance * Math.abs(best.objective)) reason = "gap";
      else if (model === undefined || stalls >= largestStalls) reason = "stalled";
      if (reason !== "max-iterations") break;
    }
    if (last) break;
    iterations++;
    const step = newtonStep(frame, model, centring * mu);
    centring = Math.max(0.03, (1 - step.length) ** 2);
    iterate = step.next;
  }
  if (!Number.isFinite(best.gap)) return undefined;
  return {
    jamming: scale(hermitianPart(multiplyConjugateRight(bestFactor, bestFactor)), problem.power),
    objective: best.objective,
    multiplier: best.multiplier / problem.power,
    gap: best.gap,
    iterations,
    reason,
  };
}

/** J = A A^H of trace 1, and A^H slack A. */
interface Iterate {
  readonly factor: ComplexMatrix;
  readonly product: ComplexMatrix;
}

/** White jamming, and a slack that satisfies R + slack = nu I. */
function start(problem: JammingProblem): Iterate | undefined {
  const r = problem.channel.cols;
  const factor = scale(identity(r), 1 / Math.sqrt(r));
  const model = evaluate(problem, factor, identity(r));
  if (model === undefined) return undefined;
  const { descent } = model;
  const { values } = eigHermitian(descent);
  const largest = values[r - 1]!;
  const slack = scale(descent, -1);
  addDiagonal(slack, largest + 0.5 * Math.max(largest - realTrace(descent) / r, 1e-12 * largest));
  return { factor, product: scale(slack, 1 / r) };
}

/** C, A V with C = A V diag(1 / sqrt d), and d. */
interface Frame {
  readonly scaling: ComplexMatrix;
  readonly rotated: ComplexMatrix;
  readonly d: Float64Array;
}

function scalingOf({ factor, product }: Iterate): Frame {
  const { values, vectors } = eigHermitian(product);
  const largest = values[values.length - 1]!;
  const d = values.map((value) => Math.sqrt(Math.max(value, 1e-16 * largest)));
  const rotated = multiply(factor, vectors);
  return {
    rotated,
    d,
    scaling: scaledColumns(
      rotated,
      d.map((value) => 1 / Math.sqrt(value)),
    ),
  };
}

/** The Newton step towards J slack = mu I, shortened to stay inside. */
function newtonStep(
  frame: Frame,
  model: Model,
  mu: number,
): { readonly next: Iterate; readonly length: number } {
  const { d } = frame;
  const { values: rates, vectors } = eigHermitian(model.descent);
  const r = d.length;
  for (let i = 0; i < r; i++) rates[i] = Math.max(0, rates[i]!);
  const scaling = multiply(frame.scaling, vectors);
  const weight = hermitianPart(multiplyConjugateLeft(scaling, scaling));
  const curvature = congruence(conjugateTranspose(vectors), model.curvature);
  const right = congruence(conjugateTranspose(vectors), fromDiagonal(d.map((value) => mu / value)));
  for (let i = 0; i < r; i++) right.data[2 * i * (r + 1)] = right.data[2 * i * (r + 1)]! + rates[i]!;
  const inRates = solveNewton(rates, curvature, weight, right);
  // relative to J and to the slack: diag(1 / sqrt d) X diag(1 / sqrt d), and the same of mu / d - d - X
  const shape = scaledBoth(congruence(vectors, inRates), d, -0.5);
  const dual = scale(shape, -1);
  for (let i = 0; i < r; i++) {
    dual.data[2 * i * (r + 1)] = dual.data[2 * i * (r + 1)]! + mu / d[i]! / d[i]! - 1;
  }
  const primal = eigHermitian(shape);
  const lowest = Math.min(primal.values[0]!, eigHermitian(dual).values[0]!);
  const length = lowest < -reachOfStep ? -reachOfStep / lowest : 1;

  const stretch = primal.values.map((value) => Math.sqrt(1 + length * value));
  const factor = scaledColumns(multiply(frame.rotated, primal.vectors), stretch);
  const slack = scale(dual, length);
  addDiagonal(slack, 1);
  const product = congruence(conjugateTranspose(primal.vectors), scaledBoth(slack, d, 1));
  const size = frobeniusNorm(factor);
  return {
    next: {
      factor: scale(factor, 1 / size),
      product: scale(scaledBoth(product, stretch, 1), 1 / size / size),
    },
    length,
  };
}

/** diag(d)^power m diag(d)^power */
function scaledBoth(m: ComplexMatrix, d: Float64Array, power: number): ComplexMatrix {
  const factors = d.map((value) => value ** power);
  const out = scaledColumns(m, factors);
  for (let i = 0, p = 0; i < m.rows; i++) {
    for (let j = 0; j < 2 * m.cols; j++, p++) out.data[p] = out.data[p]! * factors[i]!;
  }
  return out;
}

/** a m a^H */
function congruence(a: ComplexMatrix, m: ComplexMatrix): ComplexMatrix {
  return hermitianPart(multiplyConjugateRight(multiply(a, m), a));
}

/** The same problem with power 1 and a base and signal near 1, which leaves the objective as it is. */
function normalised(problem: JammingProblem): JammingProblem {
  const reach = frobeniusNorm(problem.channel);
  const size = Math.max(frobeniusNorm(problem.base), problem.power * reach * reach);
  return {
    kind: problem.kind,
    base: scale(problem.base, 1 / size),
    channel: scale(problem.channel, Math.sqrt(problem.power / size)),
    factor: scale(problem.factor, 1 / Math.sqrt(size)),
    power: 1,
  };
}
