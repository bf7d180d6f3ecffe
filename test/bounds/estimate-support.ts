import type { TrainingRecord } from "../../src/bounds/index.ts";
import { randomStream } from "../../src/core/index.ts";

export interface QuadraticLog {
  readonly entries: number;
  readonly condition: number;
  readonly rounds: number;
  readonly devices: number;
  /** Lines per device and round, each with its own noise. */
  readonly replicates: number;
  /** Standard deviation of the noise of each entry of a gradient. */
  readonly noise: number;
  readonly step: number;
}

/** A log of gradient descent on f_k(x) = sum_i l_i (x_i - c_ki)^2 / 2, its largest l_i 1 and its smallest 1/condition. */
export function quadraticLog(
  seed: number,
  { entries, condition, rounds, devices, replicates, noise, step }: QuadraticLog,
): { readonly records: TrainingRecord[]; readonly initialGap: number; readonly stochasticVariance: number } {
  const stream = randomStream(seed, "quadratic-log");
  const curvatures = Array.from({ length: entries }, (_, i) =>
    i === 0 ? 1 : i === entries - 1 ? 1 / condition : condition ** -stream.uniform(),
  );
  const centres = Array.from({ length: devices }, () => curvatures.map(() => stream.normal()));
  const lossAt = (k: number, x: readonly number[]): number =>
    x.reduce((sum, value, i) => sum + (curvatures[i]! * (value - centres[k]![i]!) ** 2) / 2, 0);
  const meanLoss = (x: readonly number[]): number =>
    centres.reduce((sum, _, k) => sum + lossAt(k, x) / devices, 0);
  const optimum = curvatures.map((_, i) => centres.reduce((sum, c) => sum + c[i]! / devices, 0));
  let x = curvatures.map(() => 3 * stream.normal());
  const initialGap = meanLoss(x) - meanLoss(optimum);
  const records: TrainingRecord[] = [];
  for (let round = 0; round < rounds; round++) {
    const mean = x.map(() => 0);
    for (let device = 0; device < devices; device++) {
      for (let replicate = 0; replicate < replicates; replicate++) {
        const gradient = x.map(
          (value, i) => curvatures[i]! * (value - centres[device]![i]!) + noise * stream.normal(),
        );
        gradient.forEach((value, i) => {
          mean[i]! += value / devices / replicates;
        });
        records.push({ round, device, parameters: x, gradient, loss: lossAt(device, x) });
      }
    }
    x = x.map((value, i) => value - step * mean[i]!);
  }
  return { records, initialGap, stochasticVariance: (entries * noise ** 2) / devices };
}
