import { expect, test } from "vitest";
import { designBeamformers, rayleighChannel } from "../../src/aircomp/index.ts";

test("small steps at high SNR are not taken for convergence", () => {
  const channel = rayleighChannel({
    devices: 10,
    subcarriers: 2,
    receiveAntennas: 16,
    transmitAntennas: 4,
    seed: 3,
  });
  for (const decibels of [-20, -10]) {
    const easy = designBeamformers({
      channel,
      streams: 4,
      scheme: "alternating",
      power: 2 * 10 ** (decibels / 10),
      noiseVariance: 1,
    });
    expect([easy.converged, easy.reason]).toEqual([true, "relative-decrease"]);
  }
  for (const decibels of [30, 60, 90, 120, 150, 200]) {
    const hard = designBeamformers({
      channel,
      streams: 4,
      scheme: "alternating",
      power: 2 * 10 ** (decibels / 10),
      noiseVariance: 1,
    });
    expect(hard.converged).toBe(false);
    expect(["max-iterations", "stalled"]).toContain(hard.reason);
  }
});
