import { checkInteger, checkNumber, InputError } from "../core/index.ts";
import type { StopRule } from "./solver.ts";

/** Stops after n iterations. */
export function maxIterations(n: number): StopRule {
  checkInteger(n, "maxIterations", 0);
  return ({ iteration }) => (iteration >= n ? "max-iterations" : undefined);
}

/**
 * Stops at a Riemannian gradient norm of at most `tolerance`; with constraints, at a gradient norm of the
 * Lagrangian and an infeasibility of at most `tolerance`.
 */
export function gradientNorm(tolerance: number): StopRule {
  checkNumber(tolerance, "gradientNorm", 0);
  return (progress) =>
    progress.gradientNorm <= tolerance && (progress.infeasibility ?? 0) <= tolerance
      ? "gradient-norm"
      : undefined;
}

/**
 * Stops when a step lowers the cost by at most `tolerance` times max(1e-300, |cost|). Iterations that take no step
 * (a trust region that only shrank) do not count. With constraints, where the cost may also rise: when it changes by
 * no more than that, and the infeasibility is at most `tolerance`.
 */
export function relativeDecrease(tolerance: number): StopRule {
  checkNumber(tolerance, "relativeDecrease", 0);
  return ({ stepSize, cost, previousCost, infeasibility }) => {
    const change = infeasibility === undefined ? previousCost - cost : Math.abs(previousCost - cost);
    const small = stepSize > 0 && change <= tolerance * Math.max(1e-300, Math.abs(cost));
    return small && (infeasibility ?? 0) <= tolerance ? "relative-decrease" : undefined;
  };
}

/**
 * Stops after this many milliseconds (results then depend on the machine's speed).
 *
 * @throws InputError, when it is used, without a `clock`.
 */
export function maxTime(milliseconds: number): StopRule {
  checkNumber(milliseconds, "maxTime", 0);
  return ({ elapsed }) => {
    if (elapsed === undefined) throw new InputError("clock", "nothing", "a function, for maxTime");
    return elapsed >= milliseconds ? "max-time" : undefined;
  };
}

/** Stops when one of the rules does; the first in order gives the reason. */
export function anyOf(...rules: readonly StopRule[]): StopRule {
  return (progress) => {
    for (const rule of rules) {
      const reason = rule(progress);
      if (reason !== undefined) return reason;
    }
    return undefined;
  };
}

/** Stops when all of the rules do; the first gives the reason. @throws InputError without any rule. */
export function allOf(...rules: readonly StopRule[]): StopRule {
  if (rules.length === 0) throw new InputError("allOf", "no rules", "at least one rule");
  return (progress) => {
    let first: ReturnType<StopRule>;
    for (const rule of rules) {
      const reason = rule(progress);
      if (reason === undefined) return undefined;
      first ??= reason;
    }
    return first;
  };
}
