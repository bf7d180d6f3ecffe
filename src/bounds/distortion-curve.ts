/**
 * omega as a function of the power: what designs made for some powers do at all others. The designs for one power p_j
 * serve every power p after B -> c B, A -> A/c with c^2 = p/p_j: A^H H B stays, the noise falls as 1/p.
 * docs/energy-schedule.md, section 1.
 */
import {
  type AnalogDesign,
  type DesignOptions,
  designBeamformers,
  expectedEvaluation,
  type SelectionOptions,
} from "../aircomp/index.ts";
import {
  checkNumber,
  checkNumbers,
  checkOptions,
  checkPositive,
  describe,
  InputError,
} from "../core/index.ts";
import { ComplexStack } from "../linalg/index.ts";

/** What one design gives at every power p: omega = misalignment + noise / p. */
export interface CurveMode {
  /** Dimensionless, >= 0; errors of the channel estimate included. */
  readonly misalignment: number;
  /** sigma2 ||A||^2 / (S M) at power 1, >= 0. */
  readonly noise: number;
  /** The beamformers, made for the power `designedFor`; absent for modes that the caller states as numbers. */
  readonly design?: AnalogDesign;
  readonly designedFor?: number;
}

/** The lower envelope of some modes; power in multiples of a reference that is the caller's. */
export interface DistortionCurve {
  /** Those that are best at some power: `noise` ascending, `misalignment` descending. */
  readonly modes: readonly CurveMode[];
  /** Index of the best mode at a power >= 0. */
  modeAt(power: number): number;
  /** omega at a power >= 0; +Infinity at 0 unless a mode is without noise. */
  distortion(power: number): number;
}

export interface CurveOptions
  extends Omit<DesignOptions, "scheme" | "initial" | "onProgress" | "certificate"> {
  /** P_k at power 1 of the curve: one number, or one per device. All are scaled alike. */
  readonly power: number | ArrayLike<number>;
  /** Default "manifold". */
  readonly scheme?: NonNullable<SelectionOptions["scheme"]>;
  /** Powers between which designs are made, in multiples of `power`; outside them the nearest are rescaled. Default 0.1 to 10. */
  readonly range?: readonly [number, number];
  /** Between neighbouring designs. Default 1.5. */
  readonly spacingDb?: number;
}

/** Most designs of one curve. */
const MOST = 400;

/**
 * The curve of modes that are known as numbers.
 *
 * @throws InputError without modes, or on negative or non-finite parts.
 */
export function curveFromModes(modes: readonly CurveMode[]): DistortionCurve {
  if (!Array.isArray(modes) || modes.length === 0) {
    throw new InputError("modes", describe(modes), "at least one { misalignment, noise }");
  }
  modes.forEach((mode: CurveMode, j: number) => {
    checkOptions(mode, `modes[${j}]`, ["misalignment", "noise", "design", "designedFor"]);
    checkNumber(mode.misalignment, `modes[${j}].misalignment`, 0);
    checkNumber(mode.noise, `modes[${j}].noise`, 0);
  });
  const hull = envelope(modes);
  const modeAt = (power: number): number => {
    checkNumber(power, "power", 0);
    return bestMode(hull, power);
  };
  return { modes: hull, modeAt, distortion: (power) => modeDistortion(hull[modeAt(power)]!, power) };
}

/**
 * The curve of a link: designs for powers `spacingDb` apart, each from the receive beamformers of its neighbour, and silence.
 * Every value is achieved by the beamformers that {@link designAtPower} returns.
 *
 * @throws InputError as `designBeamformers` does, and on a range that is empty or too wide.
 */
export function distortionCurve(options: CurveOptions): DistortionCurve {
  checkOptions(options, "distortionCurve", [
    ...["channel", "streams", "power", "noiseVariance", "weights", "correlation", "scheme", "effort"],
    ...["seed", "signal", "range", "spacingDb"],
  ]);
  const [low, high] = Array.from(checkNumbers(options.range ?? [0.1, 10], "range", 2, 0)) as [number, number];
  checkPositive(low, "range[0]");
  if (high < low) throw new InputError("range", `[${low}, ${high}]`, "the smaller power first");
  const { range: _range, ...rest } = options;
  const growing = growingCurve(rest);
  growing.cover(low, high);
  return growing.curve();
}

/** The beamformers of the curve at a power > 0, rescaled from the power that they were made for. */
export function designAtPower(curve: DistortionCurve, power: number): AnalogDesign {
  const mode = curve.modes[curve.modeAt(checkPositive(power, "power"))]!;
  const { design, designedFor } = mode;
  if (design === undefined || designedFor === undefined) {
    throw new InputError("curve", "a mode without beamformers", "a curve from distortionCurve");
  }
  const c = Math.sqrt(power / designedFor);
  const distortion = modeDistortion(mode, power);
  return {
    ...design,
    receive: new ComplexStack(
      design.receive.shape,
      design.receive.data.map((x) => x / c),
    ),
    transmit: new ComplexStack(
      design.transmit.shape,
      design.transmit.data.map((x) => c * x),
    ),
    distortion,
    mse: distortion * design.streams * design.receive.shape[0]!,
  };
}

/** A curve that gets more designs where they are needed. */
export interface GrowingCurve {
  /** Makes designs for the powers of the grid between two powers, ends included (the grid is widened to enclose them). */
  cover(low: number, high: number): void;
  curve(): DistortionCurve;
}

/**
 * @param total omega of a design as the caller counts it, where that is not the one of the options (the cap); its
 * noise must be that of the options
 */
export function growingCurve(
  options: Omit<CurveOptions, "range">,
  total?: (design: AnalogDesign) => number,
): GrowingCurve {
  const spacing = checkPositive(options.spacingDb ?? 1.5, "spacingDb");
  const {
    channel,
    noiseVariance,
    correlation,
    spacingDb: _spacing,
    power,
    effort = "default",
    ...rest
  } = options;
  const evaluation = { noiseVariance, ...(correlation === undefined ? {} : { correlation }) };
  const powerOf = (step: number): number => 10 ** ((step * spacing) / 10);
  const designs = new Map<number, AnalogDesign>();
  const modes: CurveMode[] = [];

  const addMode = (design: AnalogDesign, designedFor: number): void => {
    const found = expectedEvaluation(channel, design, evaluation);
    const uses = design.streams * channel.subcarriers;
    const noise = found.noise / uses;
    const misalignment = total === undefined ? found.misalignment / uses : Math.max(0, total(design) - noise);
    modes.push({ misalignment, noise: noise * designedFor, design, designedFor });
  };
  const scaled = (by: number): number | Float64Array =>
    typeof power === "number" ? by * power : Float64Array.from(power, (value) => by * value);
  const solve = (step: number, from: AnalogDesign | undefined): AnalogDesign => {
    const usable = from?.receive.data.some((x) => x !== 0) === true;
    const design = designBeamformers({
      ...rest,
      channel,
      noiseVariance,
      ...(correlation === undefined ? {} : { correlation }),
      power: scaled(powerOf(step)),
      // all others start from the first one
      effort: usable || effort !== "fast" ? effort : "default",
      certificate: false,
      ...(usable ? { initial: { receive: from.receive } } : {}),
    });
    designs.set(step, design);
    addMode(design, powerOf(step));
    return design;
  };

  const cover = (low: number, high: number): void => {
    const first = Math.floor((10 * Math.log10(low)) / spacing + 1e-9);
    const last = Math.ceil((10 * Math.log10(high)) / spacing - 1e-9);
    if (!(last - first < MOST)) {
      throw new InputError("range", `${last - first + 1} designs`, `at most ${MOST}; a larger spacingDb`);
    }
    if (designs.size === 0) {
      const middle = Math.min(Math.max(0, first), last);
      const design = solve(middle, undefined);
      const silent = { ...design, receive: zeros(design.receive), transmit: zeros(design.transmit) };
      addMode({ ...silent, ...silence(silent) }, powerOf(middle));
    }
    // outwards from what is known, so that every start is a neighbour
    const known = [...designs.keys()];
    for (let step = Math.min(...known) - 1; step >= first; step--) solve(step, designs.get(step + 1));
    for (let step = Math.max(...known) + 1; step <= last; step++) solve(step, designs.get(step - 1));
  };

  /** A = 0: the error is the aggregate itself. */
  const silence = (design: AnalogDesign): Pick<AnalogDesign, "mse" | "distortion"> => {
    const { mse, distortion } = expectedEvaluation(channel, design, evaluation);
    return { mse, distortion };
  };

  return { cover, curve: () => curveFromModes(modes) };
}

/** omega of one mode at a power >= 0. */
export function modeDistortion({ misalignment, noise }: CurveMode, power: number): number {
  return noise === 0 ? misalignment : misalignment + noise / power;
}

/** Of modes sorted as in {@link DistortionCurve}; binary search, as the best one moves up with the power. */
export function bestMode(modes: readonly CurveMode[], power: number): number {
  let low = 0;
  let high = modes.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (modeDistortion(modes[middle + 1]!, power) < modeDistortion(modes[middle]!, power)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The lines misalignment + noise x, x = 1/p >= 0, that are lowest somewhere: a lower hull. */
function envelope(modes: readonly CurveMode[]): CurveMode[] {
  const sorted = modes.slice().sort((a, b) => a.noise - b.noise || a.misalignment - b.misalignment);
  const hull: CurveMode[] = [];
  for (const mode of sorted) {
    const last = hull.at(-1);
    if (last !== undefined && mode.misalignment >= last.misalignment) continue;
    while (hull.length >= 2) {
      const [before, middle] = [hull.at(-2)!, hull.at(-1)!];
      // `middle` is lowest nowhere if `mode` passes below the crossing of the two before it
      const gained = (middle.misalignment - mode.misalignment) * (middle.noise - before.noise);
      const owed = (before.misalignment - middle.misalignment) * (mode.noise - middle.noise);
      if (gained < owed) break;
      hull.pop();
    }
    hull.push(mode);
  }
  return hull;
}

function zeros(stack: ComplexStack): ComplexStack {
  return new ComplexStack(stack.shape);
}
