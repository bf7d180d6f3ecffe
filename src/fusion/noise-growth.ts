import { firstNonFinite, type Layout, type Tensors, unflatten } from "../core/parameters.ts";
import { meanDistance } from "./disentanglement.ts";
import { type Caller, type JacobianProduct, type Outputs, outputsOf } from "./model-outputs.ts";

/** What stays the same for all directions of one task. Points and directions are flat vectors of the layout. */
export interface GrowthSetting<Inputs> {
  readonly caller: Caller<Inputs>;
  readonly product: JacobianProduct<Inputs> | undefined;
  readonly base: Tensors;
  readonly layout: Layout;
  readonly task: number;
  /** Root mean square of a step relative to that of the point. */
  readonly step: number;
  readonly curvature: boolean;
}

/** Fused model and single-task reference. */
export type Pair<T> = readonly [fused: T, reference: T];

/** Outputs of the two, their difference, and the mean over the samples of its square. */
export interface Difference {
  readonly outputs: Pair<Outputs>;
  readonly values: Float64Array;
  readonly squared: number;
}

export async function differenceAt<Inputs>(
  setting: GrowthSetting<Inputs>,
  points: Pair<Float64Array>,
): Promise<Difference> {
  const fused = await evaluate(setting, points[0]);
  return differenceOf([fused, await evaluate(setting, points[1], fused)]);
}

/**
 * ||g'(0)||^2 and <D, g''(0)>, means over the samples, for g(h) = f(fused + h v) - f(reference + h v), v moving only the
 * models that `moves` says. Central differences, or `product` for g'.
 */
export async function growthAlong<Inputs>(
  setting: GrowthSetting<Inputs>,
  points: Pair<Float64Array>,
  start: Difference,
  moves: Pair<boolean>,
  direction: Float64Array,
): Promise<{ readonly linear: number; readonly curvature: number }> {
  const { values: d, outputs } = start;
  const h = stepAlong(points[0], direction, setting.step);
  let [linear, curvature] = [0, 0];
  if (setting.product !== undefined) {
    const slope = new Float64Array(d.length);
    for (const side of [0, 1] as const) {
      if (!moves[side]) continue;
      const own = await jacobianTimes(setting, points[side], direction, outputs[0]);
      for (let i = 0; i < d.length; i++) slope[i]! += side === 0 ? own[i]! : -own[i]!;
    }
    for (let i = 0; i < d.length; i++) linear += slope[i]! ** 2;
  }
  if (setting.product === undefined || setting.curvature) {
    const sides: Float64Array[] = [];
    for (const sign of [1, -1]) {
      const at = async (side: 0 | 1): Promise<Outputs> =>
        moves[side]
          ? evaluate(setting, shifted(points[side], direction, sign * h), outputs[0])
          : outputs[side];
      sides.push(differenceOf([await at(0), await at(1)]).values);
    }
    const [plus, minus] = sides as [Float64Array, Float64Array];
    for (let i = 0; i < d.length; i++) {
      if (setting.product === undefined) linear += ((plus[i]! - minus[i]!) / (2 * h)) ** 2;
      if (setting.curvature) curvature += (d[i]! * (plus[i]! - d[i]! + (minus[i]! - d[i]!))) / h ** 2;
    }
  }
  const { samples } = outputs[0];
  return { linear: linear / samples, curvature: curvature / samples };
}

/** J v for all samples, by `product` or by central differences. */
export async function jacobianTimes<Inputs>(
  setting: GrowthSetting<Inputs>,
  point: Float64Array,
  direction: Float64Array,
  like: Outputs,
): Promise<Float64Array> {
  const { product, base, layout, caller, task } = setting;
  if (product !== undefined) {
    const along = unflatten(new Map([...base].map(([name, x]) => [name, x.map(() => 0)])), layout, direction);
    const call: Caller<Inputs> = {
      field: "jacobianProduct",
      inputs: caller.inputs,
      call: (parameters, inputs, t) => product(parameters, along, inputs, t),
    };
    return (await outputsOf(call, unflatten(base, layout, point), task, like)).data;
  }
  const h = stepAlong(point, direction, setting.step);
  const plus = await evaluate(setting, shifted(point, direction, h), like);
  const minus = await evaluate(setting, shifted(point, direction, -h), like);
  return plus.data.map((x, i) => (x - minus.data[i]!) / (2 * h));
}

export function evaluate<Inputs>(
  { caller, base, layout, task }: GrowthSetting<Inputs>,
  point: Float64Array,
  like?: Outputs,
): Promise<Outputs> {
  return outputsOf(caller, unflatten(base, layout, point), task, like);
}

export function allFinite(outputs: Outputs): boolean {
  return firstNonFinite(outputs.data) < 0;
}

function differenceOf(outputs: Pair<Outputs>): Difference {
  const [fused, reference] = outputs;
  const values = fused.data.map((x, i) => x - reference.data[i]!);
  return { outputs, values, squared: meanDistance(fused, reference, "squared") };
}

function shifted(point: Float64Array, direction: Float64Array, h: number): Float64Array {
  return point.map((x, i) => x + h * direction[i]!);
}

/** h such that the entries that move do so by `step` times the root mean square of the point (1 where that is 0). */
function stepAlong(point: Float64Array, direction: Float64Array, step: number): number {
  let [size, moved, count] = [0, 0, 0];
  for (let i = 0; i < point.length; i++) {
    size += point[i]! ** 2;
    if (direction[i] === 0) continue;
    moved += direction[i]! ** 2;
    count++;
  }
  const scale = size > 0 ? Math.sqrt(size / point.length) : 1;
  return count === 0 ? 1 : (step * scale) / Math.sqrt(moved / count);
}
