import { checkChoice, checkOptions } from "../core/index.ts";
import { lowerBoundOf } from "./certificate.ts";
import { type BeamformerDesign, type DesignOptions, transceiverProblem } from "./design.ts";
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
  if (design.kind !== "analog") return design;
  const zeroForcing = zeroForcingSchemes.includes(design.scheme as AnalogScheme);
  const lowerBound = mseLowerBound({ ...options, zeroForcing });
  return lowerBound === undefined ? design : { ...design, lowerBound };
}
