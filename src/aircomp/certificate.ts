import { noiseSplittingBound } from "./noise-splitting.ts";
import { uniformForcingBound } from "./relaxation.ts";
import type { Effort, LowerBound } from "./scheme.ts";
import type { TransceiverProblem } from "./updates.ts";

/** The bound on the MSE of all designs, or of those without misalignment; undefined where none above 0 is proved. */
export function lowerBoundOf(
  problem: TransceiverProblem,
  zeroForcing: boolean,
  effort: Effort,
  signal: AbortSignal | undefined,
): LowerBound | undefined {
  const options = { effort, ...(signal === undefined ? {} : { signal }) };
  const found = zeroForcing ? uniformForcingBound(problem, options) : noiseSplittingBound(problem, options);
  return found === undefined ? undefined : { value: found.value, kind: found.kind };
}
