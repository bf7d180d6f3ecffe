import { describe, expect, it } from "vitest";
import {
  estimateChannel,
  evaluateDesign,
  expectedEvaluation,
  rayleighChannel,
} from "../../src/aircomp/index.ts";
import { designAtPower, distortionCurve, scheduleScenario } from "../../src/bounds/index.ts";
import type { InputError } from "../../src/core/index.ts";
import { relative, smallScenario } from "./support.ts";

function sum(list: ArrayLike<number>): number {
  return Array.from(list).reduce((a, b) => a + b, 0);
}

describe("the distortion of a link", () => {
  const channel = rayleighChannel({
    devices: 4,
    subcarriers: 2,
    receiveAntennas: 4,
    transmitAntennas: 2,
    taps: 2,
    seed: 3,
  });
  const link = {
    channel,
    streams: 1,
    noiseVariance: 0.5,
    power: [1, 2, 0.5, 1],
    effort: "fast",
    range: [0.1, 10],
  } as const;

  it.each([
    ["independent", {}],
    ["correlated", { correlation: 0.4, weights: [1, 2, 3, 1] }],
  ])("is what rescaled designs achieve within the budgets, %s", (_, extra) => {
    const curve = distortionCurve({ ...link, ...extra });
    let last = Number.POSITIVE_INFINITY;
    for (const power of [1e-3, 0.1, 0.37, 1, 2.5, 10, 1e4]) {
      const omega = curve.distortion(power);
      expect(omega).toBeLessThanOrEqual(last);
      last = omega;
      const design = designAtPower(curve, power);
      const { distortion } = evaluateDesign(channel, design, {
        noiseVariance: 0.5,
        correlation: 0,
        ...pick(extra),
      });
      expect(relative(distortion, omega)).toBeLessThan(1e-12);
      expect(design.distortion).toBe(omega);
      link.power.forEach((budget, k) => {
        const sent = [0, 1].reduce(
          (total, m) => total + sum(design.transmit.at(k, m).data.map((x) => x * x)),
          0,
        );
        expect(sent).toBeLessThanOrEqual(power * budget * (1 + 1e-9));
      });
    }
  });

  it("is silence without power, and the mean over the error of an estimate", () => {
    expect(distortionCurve(link).distortion(0)).toBeCloseTo(0.25, 14);
    const estimated = estimateChannel(channel, { errorVariance: 0.05, seed: 1 });
    const curve = distortionCurve({ ...link, channel: estimated });
    const design = designAtPower(curve, 5);
    const { distortion } = expectedEvaluation(estimated, design, { noiseVariance: 0.5 });
    expect(relative(distortion, curve.distortion(5))).toBeLessThan(1e-12);
  });
});

function pick({ correlation }: { correlation?: number }): { correlation?: number } {
  return correlation === undefined ? {} : { correlation };
}

describe("the schedule of a scenario", () => {
  const scenario = smallScenario((s) => {
    s["link"] = { ...(s["link"] as object), energyPerRound: 0.002 };
    s.learning["gradientFloor"] = 5;
  });

  it("spends the energy of all rounds, and gains at low SNR", () => {
    const found = scheduleScenario(scenario, { rank: 4 });
    const { schedule, power, airTime } = found;
    expect(relative(sum(schedule.energy), 100)).toBeLessThan(1e-12);
    // E_k of the scenario, by the definition of the energy
    expect(relative(power[0]! * airTime, 0.002)).toBeLessThan(1e-12);
    expect(schedule.gap).toBeLessThan(0.95 * schedule.uniformGap);
    expect(schedule.dualityGap).toBeLessThan(1e-3);
    for (const round of [0, 60, 99]) {
      expect(relative(found.designAt(round).distortion, schedule.distortion[round]!)).toBeLessThan(1e-12);
    }
    const total = scheduleScenario(scenario, { rank: 4, energyTotal: 0.2 });
    expect(total.schedule.gap).toBe(schedule.gap);
  });

  it("is even where the peak power leaves no choice, and covers the cap", () => {
    const loud = { ...scenario, link: { ...scenario.link, energyPerRound: 1e6 } };
    const found = scheduleScenario(loud, { rank: 4 });
    expect(found.peak).toBeLessThan(1);
    expect(found.schedule).toMatchObject({ reason: "peak-power" });
    const cap = scheduleScenario(
      { ...scenario, link: { ...scenario.link, correlation: "cap" } },
      { rank: 4 },
    );
    expect(cap.curve.distortion(0)).toBeCloseTo(1, 12);
    expect(cap.schedule.gap).toBeLessThan(cap.schedule.uniformGap);
  });

  it("names what a scenario lacks", () => {
    const without = smallScenario((s) => {
      s["link"] = { ...(s["link"] as object), energyPerRound: null };
    });
    const field = (call: () => unknown): string => {
      try {
        call();
      } catch (error) {
        return (error as InputError).field;
      }
      return "";
    };
    expect(field(() => scheduleScenario(without, { rank: 4 }))).toBe("energyTotal");
    expect(field(() => scheduleScenario(without, { rank: 400, energyTotal: 1 }))).toBe("rank");
    expect(field(() => scheduleScenario(without, { rank: 4, energyTotal: [1] }))).toBe("energyTotal");
    const digital = smallScenario((s) => {
      s.solver["scheme"] = "digital";
    });
    expect(field(() => scheduleScenario(digital, { rank: 4 }))).toBe("solver.scheme");
  });
});
