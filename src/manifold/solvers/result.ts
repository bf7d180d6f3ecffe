import type { MinimizeResult } from "../driver.ts";
import type { StopReason } from "../solver.ts";

const sentences: Readonly<Record<StopReason, string>> = {
  "gradient-norm": "The gradient norm fell to its tolerance: a critical point.",
  "relative-decrease": "The last step lowered the cost by no more than the tolerance.",
  "max-iterations": "The iterations ran out before the cost converged.",
  "max-time": "The time ran out before the cost converged.",
  aborted: "The caller aborted the run.",
  "no-decrease":
    "No step lowers the cost any more: it is at its rounding level, or its gradient or Hessian is wrong.",
  infeasible: "The penalty is at its largest and the constraints are still not met.",
  "bad-start": "The cost or its gradient at the start is NaN or infinite.",
  "zero-dimension": "The manifold has dimension 0: there is nothing to choose.",
  custom: "A stopping rule of the caller's own ended the run.",
};

/** A sentence for people. */
export function describeReason(reason: StopReason): string {
  return sentences[reason];
}

/** Thrown by {@link assertSolved}. */
export class NotSolvedError extends Error {
  override readonly name = "NotSolvedError";
  readonly reason: StopReason;

  constructor(message: string, reason: StopReason) {
    super(message);
    this.reason = reason;
  }
}

/** @throws NotSolvedError, with a sentence and the last numbers, unless the run converged. */
export function assertSolved<P>(result: MinimizeResult<P>): void {
  const { converged, reason, iterations, cost, gradientNorm, constraints } = result;
  if (converged) return;
  const violated = constraints === undefined ? "" : `, infeasibility ${constraints.infeasibility}`;
  const numbers = `cost ${cost}, gradient norm ${gradientNorm}${violated} after ${iterations} iterations`;
  throw new NotSolvedError(`${describeReason(reason)} (${numbers})`, reason);
}
