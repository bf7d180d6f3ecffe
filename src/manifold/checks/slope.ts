/** Errors of a model at geometrically spaced steps, and how fast they fall. */
export interface ErrorCurve {
  /** 1e-8 to 1, five per decade; along a direction of norm 1. */
  readonly steps: readonly number[];
  readonly errors: readonly number[];
  /** Errors up to here are rounding. */
  readonly noise: number;
  /** Slope of log error over log step in the window; NaN where too few errors are above the noise. */
  readonly slope: number;
  /** First and last step of the window; both NaN without one. */
  readonly window: { readonly from: number; readonly to: number };
  /** Root mean square of what the line leaves of log10 error in the window. */
  readonly fitResidual: number;
  /** Too few errors are above the noise for a slope, and the noise is small. */
  readonly rounding: boolean;
}

const PER_DECADE = 5;
const STEPS: readonly number[] = Array.from(
  { length: 8 * PER_DECADE + 1 },
  (_, i) => 10 ** (i / PER_DECADE - 8),
);
const WINDOW = 8;
/** Errors count from this many times the noise on, so that it does not bend the line. */
const ABOVE_NOISE = 20;
/** Noise of so many times the floor is no rounding: the cost is random, or not continuous. */
const LOUD = 1e9;
/** Root mean square in log10 of a line that is straight enough. */
const STRAIGHT = 0.01;

/** Steps at which an exact model would show nothing but rounding. */
const noiseSteps: readonly number[] = [1, 2, 3, 5, 7, 8].map((k) => k * 1e-14);

/**
 * The curve of `error` at the steps. The window is that of the smallest steps among the straight ones (or the
 * straightest one): a model that is wrong by little shows its low slope there.
 */
export function errorCurve(error: (t: number) => number, floor: number): ErrorCurve {
  const errors = STEPS.map(error);
  let noise = floor;
  for (const t of noiseSteps) {
    const value = error(t);
    if (value > noise) noise = value;
  }
  let best: { slope: number; residual: number; start: number } | undefined;
  const fits: { slope: number; residual: number; start: number }[] = [];
  for (let start = 0; start + WINDOW <= STEPS.length; start++) {
    const part = errors.slice(start, start + WINDOW);
    if (!part.every((value) => Number.isFinite(value) && value > ABOVE_NOISE * noise)) continue;
    const fit = { ...line(part), start };
    fits.push(fit);
    if (best === undefined || fit.residual < best.residual) best = fit;
  }
  const limit = Math.max(STRAIGHT, 2 * (best?.residual ?? 0));
  const chosen = fits.find((fit) => fit.residual <= limit);
  return {
    steps: STEPS,
    errors,
    noise,
    slope: chosen?.slope ?? Number.NaN,
    window: {
      from: chosen === undefined ? Number.NaN : STEPS[chosen.start]!,
      to: chosen === undefined ? Number.NaN : STEPS[chosen.start + WINDOW - 1]!,
    },
    fitResidual: chosen?.residual ?? Number.NaN,
    rounding:
      chosen === undefined &&
      noise <= Math.max(LOUD * floor, 1e-13) &&
      errors.every((value, i) => Number.isFinite(value) || STEPS[i]! > 1e-4),
  };
}

/** Whether the errors fall with at least this power of the step, or are rounding. */
export function fallsWith(curve: ErrorCurve, power: number): boolean {
  return curve.rounding || curve.slope >= power - 0.1;
}

/** Least-squares line through log10 of the values at consecutive steps. */
function line(values: readonly number[]): { slope: number; residual: number } {
  const count = values.length;
  const logs = values.map((value) => Math.log10(value));
  const mean = logs.reduce((sum, y) => sum + y, 0) / count;
  const centre = (count - 1) / 2;
  let xy = 0;
  let xx = 0;
  logs.forEach((y, i) => {
    xy += (i - centre) * (y - mean);
    xx += (i - centre) ** 2;
  });
  const perStep = xy / xx;
  const squares = logs.reduce((sum, y, i) => sum + (y - mean - perStep * (i - centre)) ** 2, 0);
  return { slope: perStep * PER_DECADE, residual: Math.sqrt(squares / count) };
}
