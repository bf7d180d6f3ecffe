/** The rank that airfold picks from what the pilots say, for a channel and an SNR. */
import { minimizeOptimalityGap } from "airfold/bounds";
import { noiseVariance, radio, streams, symbolDuration, trained } from "./plan.mjs";
import { powerAt, symbolsAt } from "./training.mjs";
import { adapterTargets } from "./transformer.mjs";

/** @returns { rank, gap, byRank } */
export function chooseRank({ architecture, pilots, settings, snrDb, seed }) {
  const { rank, gap, byRank } = minimizeOptimalityGap(
    scenarioOf({ architecture, pilots, settings, snrDb, seed }),
  );
  return {
    rank,
    gap,
    byRank: byRank?.map(({ rank: r, gap: g, distortion }) => ({ rank: r, gap: g, distortion })),
  };
}

export function scenarioOf({ architecture, pilots, settings, snrDb, seed }) {
  const peak = powerAt({ architecture, rank: 1, trained, snrDb });
  const largest = pilots.at(-1);
  const perRank = (name) => interpolate(pilots, name, settings.largestRank);
  const smoothness = perRank("smoothness");
  return {
    channel: { model: "rayleigh", ...radio, seed },
    link: {
      streams,
      noiseVariance,
      // the peak power is that of rank 1; the energy of a round is what its symbols have at that power
      snrDb: 10 * Math.log10(peak / (radio.subcarriers * noiseVariance)),
      symbolDuration,
      energyPerRound: peak * symbolsAt(architecture, 1, trained) * symbolDuration,
    },
    learning: {
      // noise of zero mean is cheaper here than in the PL form, and the gradients of the devices may be alike
      form: "quadratic",
      smoothness,
      plConstant: perRank("plConstant").map((mu, i) => Math.min(mu, smoothness[i])),
      initialGap: largest.constants.initialGap,
      rounds: settings.rounds,
      gradientFloor: perRank("gradientFloor"),
      gradientSlope: perRank("gradientSlope"),
      stochasticVariance: perRank("stochasticVariance"),
      dissimilarityFloor: perRank("dissimilarityFloor"),
      dissimilaritySlope: perRank("dissimilaritySlope"),
    },
    lora: {
      layers: adapterTargets(architecture).map(({ dOut, dIn }, t) => ({
        dOut,
        dIn,
        spectrum: { kind: "values", values: largest.spectra[t] },
      })),
      trained,
      // eps(r) = (c/2) sum_{i>r} s_i^2: with the curvature along the update it is an estimate. The bound has L in its place, the
      // largest curvature of all directions, many times that of the directions that a small rank misses.
      residual: { kind: "spectral", smoothness: largest.curvature },
    },
    solver: {
      scheme: "manifold",
      effort: "fast",
      rankSearch: "exhaustive",
      maxRank: settings.largestRank,
      seed,
    },
  };
}

/** A constant at the ranks 1..largest: between two pilots linear in log(rank), in the log of the constant where it is positive. */
export function interpolate(pilots, name, largest) {
  return Array.from({ length: largest }, (_, i) => {
    const rank = i + 1;
    const next = pilots.findIndex((pilot) => pilot.rank >= rank);
    // outside the pilots' ranks that of the nearest
    if (next <= 0) return pilots.at(next).constants[name] ?? 0;
    const [low, high] = [pilots[next - 1], pilots[next]];
    const [a, b] = [low.constants[name] ?? 0, high.constants[name] ?? 0];
    const share = (Math.log(rank) - Math.log(low.rank)) / (Math.log(high.rank) - Math.log(low.rank));
    return a > 0 && b > 0 ? a * (b / a) ** share : a + (b - a) * share;
  });
}
