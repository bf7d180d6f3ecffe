import { describe, expect, it } from "vitest";
import { createFinish } from "../../../src/aircomp/uniform-forcing/finish.ts";
import { createObjective, type Objective } from "../../../src/aircomp/uniform-forcing/objective.ts";
import { scaleProblem } from "../../../src/aircomp/uniform-forcing/scaled.ts";
import { randomStream } from "../../../src/core/index.ts";
import type { ComplexMatrix } from "../../../src/linalg/index.ts";
import { checkGradient, complexSphere, type Problem } from "../../../src/manifold/index.ts";
import { gain, randomProblem } from "./support.ts";

type Shape = readonly [number, number, number, number, number];
const shapes: readonly Shape[] = [
  [5, 1, 4, 1, 1],
  [4, 3, 3, 2, 1],
  [4, 1, 5, 3, 2],
  [3, 2, 4, 4, 3],
] as const;

function smoothed([
  devices,
  subcarriers,
  receiveAntennas,
  transmitAntennas,
  streams,
]: (typeof shapes)[number]) {
  const sizes = { devices, subcarriers, receiveAntennas, transmitAntennas, streams };
  const problem = randomProblem(sizes, devices + streams);
  const objective = createObjective(scaleProblem(problem));
  objective.sharpness = 3;
  return { problem, objective };
}

/** The smoothed objective on the unit sphere, its gradient times `factor`. */
function onSphere(objective: Objective, factor: number): Problem<ComplexMatrix> {
  return {
    manifold: complexSphere(objective.size / 2),
    cost: (x) => objective.start(x.data),
    gradient: (x) => {
      objective.start(x.data);
      const out = new Float64Array(objective.size);
      objective.gradient(out);
      return { ...x, data: out.map((value) => factor * value) };
    },
  };
}

describe("smoothed objective", () => {
  it("has the gradient that it says, and the checker refuses half of it", () => {
    for (const shape of shapes) {
      const { objective } = smoothed(shape);
      expect(checkGradient(onSphere(objective, 1)).passed).toBe(true);
      expect(checkGradient(onSphere(objective, 0.5)).passed).toBe(false);
    }
  });

  it("has the gains of the definition, and the same value at any scale", () => {
    for (const shape of shapes) {
      const { problem, objective } = smoothed(shape);
      const a = new Float64Array(objective.size);
      randomStream(1, "a").fillComplexNormal(a);
      const f = objective.start(a);
      const squared = a.reduce((sum, x) => sum + x * x, 0);
      for (let k = 0; k < problem.devices; k++) {
        expect(Math.exp(objective.logGain[k]!) / (gain(problem, a, k) * squared)).toBeCloseTo(1, 10);
      }
      expect(objective.start(a.map((x) => 1e3 * x))).toBeCloseTo(f, 12);
    }
  });

  it("slopes along a line are the gradient's", () => {
    const { objective } = smoothed(shapes[3]!);
    const stream = randomStream(2, "line");
    const a = new Float64Array(objective.size);
    stream.fillComplexNormal(a);
    objective.start(a);
    const gradient = new Float64Array(objective.size);
    objective.gradient(gradient);
    stream.fillComplexNormal(objective.direction);
    objective.aim();
    objective.evaluate(0);
    const slope = gradient.reduce((sum, g, i) => sum + g * objective.direction[i]!, 0);
    expect(objective.slope).toBeCloseTo(slope, 10);
  });
});

describe("exact finish", () => {
  it("converges quadratically: from 1e-3 away to rounding in a few steps", () => {
    const { problem } = smoothed([6, 1, 6, 3, 2]);
    const scaled = scaleProblem(problem);
    const objective = createObjective(scaled);
    const finish = createFinish(scaled, objective);
    const a = new Float64Array(objective.size);
    randomStream(1, "a").fillComplexNormal(a);
    objective.start(a);
    objective.sharpness = 1;
    for (let round = 0; round < 8; round++) finish.run({ maxSteps: 60, decrease: 1e-13 });
    const peak = finish.peak;
    expect(finish.converged).toBe(true);
    const noise = new Float64Array(objective.size);
    randomStream(2, "noise").fillComplexNormal(noise, 1e-6);
    objective.shift.set(finish.multipliers.map((y) => Math.log(Math.max(y, 1e-12))));
    objective.start(objective.point.map((x, i) => x + noise[i]!));
    const steps = finish.run({ maxSteps: 10, decrease: 1e-13 });
    expect(steps).toBeLessThanOrEqual(6);
    expect(Math.abs(finish.peak - peak)).toBeLessThan(1e-10);
  });
});
