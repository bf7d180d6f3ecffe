import { checkChoice, checkOptions, describe, InputError } from "../core/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { lowerBoundOf } from "./certificate.ts";
import {
  type AnalogDesign,
  type BeamformerDesign,
  type DesignOptions,
  transceiverProblem,
} from "./design.ts";
import { expectedEvaluation } from "./evaluate.ts";
import { type Effort, efforts, type LowerBound } from "./scheme.ts";
import { type AnalogScheme, zeroForcingSchemes } from "./schemes/index.ts";

export interface LowerBoundOptions
  extends Pick<
    DesignOptions,
    "channel" | "streams" | "power" | "noiseVariance" | "weights" | "correlation" | "signal"
  > {
  /** Bound the designs without misalignment only, which is higher. Default false: every design. */
  readonly zeroForcing?: boolean;
  /** How long the bound is raised. Default "default". */
  readonly effort?: Effort;
}

const optionNames = [
  "channel",
  "streams",
  "power",
  "noiseVariance",
  "weights",
  "correlation",
  "signal",
  "zeroForcing",
  "effort",
] as const;

/**
 * A number that the MSE of no analog design within the power budgets can be below, whatever scheme finds it: proved by
 * a dual point whose value is enclosed in floating point, so that it holds however far the search for it got
 * (docs/certificates.md). Compare `design.mse` with it.
 *
 * @returns the bound in the unit of `mse`, or undefined where none above 0 is proved (say, zero forcing is impossible)
 * @throws InputError as `designBeamformers` does.
 */
export function mseLowerBound(options: LowerBoundOptions): LowerBound | undefined {
  checkOptions(options, "mseLowerBound", optionNames);
  const effort = checkChoice(options.effort ?? "default", "effort", efforts);
  return lowerBoundOf(transceiverProblem(options), options.zeroForcing ?? false, effort, options.signal);
}

/**
 * The design with the lower bound that fits its scheme, for designs made with `certificate: false`; digital and ideal
 * designs as they are.
 *
 * @param options the problem that the design was made for
 * @throws InputError as `designBeamformers` does.
 */
export function certifyDesign(
  design: BeamformerDesign,
  options: Omit<LowerBoundOptions, "zeroForcing">,
): BeamformerDesign {
  if (design === null || typeof design !== "object") {
    throw new InputError("design", describe(design), "a design (see designBeamformers)");
  }
  if (design.kind !== "analog") return design;
  checkMadeFor(design, options);
  const zeroForcing = zeroForcingSchemes.includes(design.scheme as AnalogScheme);
  const lowerBound = mseLowerBound({ ...options, zeroForcing });
  const { lowerBound: _old, ...bare } = design;
  return lowerBound === undefined ? bare : { ...bare, lowerBound };
}

/** A bound says something about a design only if it is for the same problem. */
function checkMadeFor(design: AnalogDesign, options: Omit<LowerBoundOptions, "zeroForcing">): void {
  const { channel, noiseVariance, correlation } = options;
  const problem = transceiverProblem(options);
  const { weights, streams, power, devices } = problem;
  if (design.streams !== streams) {
    throw new InputError("streams", `${streams}`, `${design.streams}, those of the design`);
  }
  const evaluation = { noiseVariance, weights, ...(correlation === undefined ? {} : { correlation }) };
  const { mse } = expectedEvaluation(channel, design, evaluation);
  if (!(Math.abs(mse - design.mse) <= 1e-9 * design.mse)) {
    throw new InputError(
      "design",
      `a design with mse ${design.mse} instead of ${mse}`,
      "one made for these options",
    );
  }
  const size = design.transmit.data.length / devices;
  for (let k = 0; k < devices; k++) {
    const used = kernel.squaredNorm(design.transmit.data, k * size, size / 2);
    if (!(used <= power[k]! * (1 + 1e-9))) {
      throw new InputError(`power[${k}]`, `${power[k]}`, `at least ${used}, what the design uses`);
    }
  }
}
