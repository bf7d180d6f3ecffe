/**
 * Is the measured gap below the bound, at every rank, SNR and round? A trial draws data, channel, interleavings and
 * noise by its seed; it trains at every rank and SNR and compares every round with three bounds:
 *
 * - `measured`: the theorem with the error energy that the rounds had, E||e_t||^2 for the gradients that were sent
 *   (the devices' second-moment matrix R as measured);
 * - `quadratic`: the quadratic form before any training, for any R, with constants a1, a2, h1, h2 that are proved for
 *   the data;
 * - `cap`: the PL form before any training, with the cap on omega that holds for any R, and the same a1, a2.
 */
import {
  designBeamformers,
  errorParts,
  evaluateDesign,
  overTheAirLink,
  rayleighChannel,
} from "airfold/aircomp";
import { optimalityGap, quadraticGap, rankResidual } from "airfold/bounds";
import { leastSquares, reference } from "./problem.mjs";
import { noiseVariance, powerAt, radio, streams, train } from "./training.mjs";

export const name = "bound-check";

/** Fixed before the first run. */
export function plan(quick) {
  return {
    seeds: Array.from({ length: quick ? 2 : 200 }, (_, i) => i + 1),
    snrDb: quick ? [0] : [-10, 0, 10, 20],
    ranks: quick ? [1, 4, 8, 16, 24] : Array.from({ length: reference.dIn }, (_, i) => i + 1),
    rounds: quick ? 10 : 40,
  };
}

/** One trial. Numbers of a round in order t = 0..rounds. */
export function runTrial({ snrDb, ranks, rounds }, seed) {
  const data = leastSquares({ ...reference, seed });
  const channel = rayleighChannel({ ...radio, seed });
  const curves = [];
  for (const snr of snrDb) {
    let initial;
    // from the largest rank down: its symbols have the least power, and the next design starts from its own
    for (const rank of [...ranks].sort((a, b) => b - a)) {
      const problem = data.atRank(rank);
      const design = designBeamformers({
        channel,
        streams,
        noiseVariance,
        power: powerAt(rank, snr, data.dOut),
        effort: "fast",
        certificate: false,
        ...(initial === undefined ? {} : { initial }),
      });
      initial = design;
      const link = overTheAirLink({ channel, design, noiseVariance });
      const { gaps, expected, measured } = train({ problem, link, rounds, seed });
      const constants = {
        smoothness: problem.smoothness,
        plConstant: problem.plConstant,
        initialGap: data.initialGap,
        residual: spectralResidual(data, rank),
      };
      const cap = evaluateDesign(channel, design, { noiseVariance }).cap / (streams * radio.subcarriers);
      curves.push({
        snrDb: snr,
        rank,
        gap: [...gaps],
        measured: measuredBound(constants, expected),
        quadratic: quadraticBound(constants, errorParts(channel, design, { noiseVariance }), problem, rounds),
        cap: capBound(constants, cap, problem, rounds),
        // how far the errors that happened were from what was expected of them, all rounds together
        errorRatio: sum(measured) / sum(expected),
      });
    }
  }
  return { seed, curves };
}

/** The theorem with E||e_t||^2 of every round as it was: b1_t, and b2 = 0. */
function measuredBound(constants, errors) {
  return Array.from({ length: errors.length + 1 }, (_, rounds) => {
    return optimalityGap({ ...constants, rounds, distortion: errors.slice(0, rounds), gradientFloor: 1 }).gap;
  });
}

/**
 * The theorem before any training. From grad f_k = (grad f_k)(B*) + grad f (I + D_k) and packMean = mean(grad f):
 * Q packScale^2 <= (g + h ||grad f||)^2 <= (1 + s) g^2 + (1 + 1/s) h^2 ||grad f||^2 for every s > 0, with the largest
 * device gradient g at the optimum and h = 1 + max_k ||D_k||. The best s of a grid is a bound like any other.
 */
function capBound(constants, cap, { gradientAtBest, gradientRatio }, rounds) {
  const splits = Array.from({ length: 13 }, (_, i) => 10 ** (-2 + i / 4));
  return Array.from({ length: rounds + 1 }, (_, t) => {
    const gaps = splits.map((s) => {
      const gradientFloor = (1 + s) * gradientAtBest ** 2;
      const gradientSlope = (1 + 1 / s) * gradientRatio ** 2;
      return optimalityGap({ ...constants, rounds: t, distortion: cap, gradientFloor, gradientSlope }).gap;
    });
    return Math.min(...gaps);
  });
}

/**
 * The quadratic form before any training. Besides a1 and a2 it needs sum_k w_k ||grad f_k - grad f||^2 <= h1 + h2
 * ||grad f||^2, split in the same way: h1 = (1 + s) of what is left at the optimum, h2 = (1 + 1/s) of the rest. The split
 * is the best after the last round, for all rounds.
 */
function quadraticBound(constants, parts, problem, rounds) {
  const { gradientAtBest, gradientRatio, dissimilarityAtBest, dissimilarityRatio } = problem;
  const gapAt = (t, s) =>
    quadraticGap({
      ...constants,
      rounds: t,
      parts,
      gradientFloor: (1 + s) * gradientAtBest ** 2,
      gradientSlope: (1 + 1 / s) * gradientRatio ** 2,
      dissimilarityFloor: (1 + s) * dissimilarityAtBest,
      dissimilaritySlope: (1 + 1 / s) * dissimilarityRatio,
    }).gap;
  const splits = Array.from({ length: 13 }, (_, i) => 10 ** (-2 + i / 4));
  const best = splits.reduce((a, b) => (gapAt(rounds, b) < gapAt(rounds, a) ? b : a));
  return Array.from({ length: rounds + 1 }, (_, t) => gapAt(t, best));
}

export function spectralResidual({ dOut, dIn, singularValues, weightSmoothness }, rank) {
  return rankResidual({
    smoothness: weightSmoothness,
    layers: [{ dOut, dIn }],
    spectrum: { kind: "values", values: singularValues },
    rank,
  });
}

const sum = (values) => values.reduce((a, b) => a + b, 0);
