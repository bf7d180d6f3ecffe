import type { Objective } from "./objective.ts";
import { axpy, dot } from "./real.ts";

/** When one descent ends. */
export interface DescentRule {
  readonly maxIterations: number;
  /** Length of the gradient on the unit sphere that is small enough. */
  readonly gradient: number;
  /** Decrease of f (a relative decrease of the objective) that is not worth another iteration. */
  readonly decrease: number;
}

/**
 * Limited-memory BFGS for the smoothed objective. It differs from the general solver of src/manifold in that trials
 * along a line cost no product with the channels (see {@link Objective}) and in that it allocates nothing.
 */
export interface Descent {
  /** Descends from where the objective is; returns f. */
  run(rule: DescentRule, keepMemory?: boolean): number;
  /** Length of the gradient, times ||A||, at the end of the last run. */
  gradientNorm: number;
  /** Iterations of all runs so far. */
  iterations: number;
  /** Trials along lines of all runs so far. */
  trials: number;
}

/** Pairs of steps and gradient differences that are kept. */
const MEMORY = 12;
/** Most trials along one line. */
const MAX_TRIALS = 12;
/** Part of the linear decrease that is enough. */
const ARMIJO = 1e-4;
/** Part of the slope that is small enough: trials are cheap, so lines are searched more closely than usual. */
const CURVATURE = 0.4;

export function createDescent(objective: Objective): Descent {
  const { size, direction } = objective;
  const steps = new Float64Array(MEMORY * size);
  const differences = new Float64Array(MEMORY * size);
  const rho = new Float64Array(MEMORY);
  const alpha = new Float64Array(MEMORY);
  const gradient = new Float64Array(size);
  const next = new Float64Array(size);
  let count = 0;
  let newest = MEMORY - 1;
  let gamma = 1;
  let bestT = 0;
  let bestF = 0;

  /** direction = -H gradient; returns its slope. */
  function aim(): number {
    direction.set(gradient);
    for (let n = 0, i = newest; n < count; n++, i = i === 0 ? MEMORY - 1 : i - 1) {
      const value = rho[i]! * dot(steps, i * size, direction, 0, size);
      alpha[i] = value;
      axpy(direction, differences, i * size, -value, size);
    }
    for (let l = 0; l < size; l++) direction[l]! *= -gamma;
    for (
      let n = 0, i = (newest - count + 1 + MEMORY) % MEMORY;
      n < count;
      n++, i = i + 1 === MEMORY ? 0 : i + 1
    ) {
      const value = rho[i]! * dot(differences, i * size, direction, 0, size);
      axpy(direction, steps, i * size, -alpha[i]! - value, size);
    }
    return dot(gradient, 0, direction, 0, size);
  }

  /** A step that meets the strong Wolfe conditions, or the lowest found; the objective is left evaluated there. */
  function search(f0: number, slope0: number, first: number): number {
    let low = 0;
    let lowF = f0;
    let lowSlope = slope0;
    let high = Number.POSITIVE_INFINITY;
    let highF = 0;
    let highSlope = 0;
    let t = first;
    bestT = 0;
    bestF = f0;
    for (let trial = 0; trial < MAX_TRIALS; trial++) {
      descent.trials++;
      const f = objective.evaluate(t);
      const slope = objective.slope;
      const enough = f <= f0 + ARMIJO * t * slope0;
      if (enough && Math.abs(slope) <= -CURVATURE * slope0) {
        bestT = t;
        bestF = f;
        return f;
      }
      if (!enough || f >= lowF) {
        high = t;
        highF = f;
        highSlope = slope;
      } else {
        if (slope * (high - low) >= 0 && !(slope < 0)) {
          high = low;
          highF = lowF;
          highSlope = lowSlope;
        }
        low = t;
        lowF = f;
        lowSlope = slope;
        bestT = t;
        bestF = f;
      }
      if (high === Number.POSITIVE_INFINITY) {
        // the slope's root by the secant, if it is ahead
        const ahead = lowSlope > slope0 ? (low * slope0) / (slope0 - lowSlope) : Number.POSITIVE_INFINITY;
        t = Math.min(8 * low, Math.max(1.2 * low, ahead));
        continue;
      }
      const width = high - low;
      if (!(highF < Number.POSITIVE_INFINITY)) t = low + 0.2 * width;
      else {
        const a = lowSlope * width;
        const b = highSlope * width;
        const rise = highF - lowF;
        const cubic = a + b - 2 * rise;
        const square = 3 * rise - 2 * a - b;
        const root = square * square - 3 * a * cubic;
        const part = root >= 0 ? -a / (square + Math.sqrt(root)) : 0.5;
        t = low + width * (part > 0.02 ? Math.min(part, 0.9) : part >= 0 ? 0.02 : 0.5);
      }
      if (Math.abs(width) <= 1e-12 * Math.max(high, low)) break;
    }
    if (bestT > 0) {
      bestF = objective.evaluate(bestT);
    }
    return bestF;
  }

  function run(rule: DescentRule, keepMemory = false): number {
    if (!keepMemory) count = 0;
    let f = objective.evaluate(0);
    objective.gradient(gradient);
    let norm = Math.exp(0.5 * objective.logNorm());
    let length = norm * Math.sqrt(dot(gradient, 0, gradient, 0, size));
    for (let iteration = 0; iteration < rule.maxIterations; iteration++) {
      if (!(length > rule.gradient)) break;
      if (count === 0) gamma = 1;
      let slope = aim();
      if (!(slope < 0) && count > 0) {
        count = 0;
        gamma = 1;
        slope = aim();
      }
      if (!(slope < 0)) break;
      objective.aim();
      const first =
        count > 0 ? 1 : Math.min(1, (0.3 * norm) / Math.sqrt(dot(direction, 0, direction, 0, size)));
      const reached = search(f, slope, first);
      if (bestT === 0) {
        objective.evaluate(0);
        if (count === 0) break;
        count = 0;
        continue;
      }
      objective.move();
      descent.iterations++;
      objective.gradient(next);
      newest = (newest + 1) % MEMORY;
      const at = newest * size;
      let sy = 0;
      let yy = 0;
      for (let l = 0; l < size; l++) {
        const s = bestT * direction[l]!;
        const y = next[l]! - gradient[l]!;
        steps[at + l] = s;
        differences[at + l] = y;
        sy += s * y;
        yy += y * y;
        gradient[l] = next[l]!;
      }
      if (sy > 0 && yy > 0) {
        rho[newest] = 1 / sy;
        gamma = sy / yy;
        count = Math.min(MEMORY, count + 1);
      } else {
        newest = newest === 0 ? MEMORY - 1 : newest - 1;
        count = Math.min(count, MEMORY - 1);
      }
      norm = Math.exp(0.5 * objective.logNorm());
      length = norm * Math.sqrt(dot(gradient, 0, gradient, 0, size));
      const decrease = f - reached;
      f = reached;
      if (decrease <= rule.decrease) break;
    }
    descent.gradientNorm = length;
    return f;
  }

  const descent: Descent = { run, gradientNorm: Number.NaN, iterations: 0, trials: 0 };
  return descent;
}
