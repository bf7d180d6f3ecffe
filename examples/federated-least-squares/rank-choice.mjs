/**
 * Is the rank that airfold picks a good one? Random problems: spectrum, heterogeneity, samples and SNR vary. A pilot run
 * without a radio gives the training log, the log gives the constants, the scenario gives the rank. The judge is
 * training over the air at every rank.
 */
import { designBeamformers, overTheAirLink, rayleighChannel } from "airfold/aircomp";
import { estimateConstants, minimizeOptimalityGap } from "airfold/bounds";
import { randomStream } from "airfold/core";
import { leastSquares, reference } from "./problem.mjs";
import { noiseVariance, powerAt, radio, streams, train } from "./training.mjs";

export const name = "rank-choice";

/** Fixed before the first run. */
export function plan(quick) {
  return {
    seeds: Array.from({ length: quick ? 2 : 100 }, (_, i) => i + 1),
    /** runs over the air per rank, each with its own interleavings and noise */
    repeats: quick ? 1 : 2,
    rounds: quick ? 20 : 25,
    /** so many last rounds are averaged: the gap has settled by then, and goes up and down with the noise */
    averaged: quick ? 5 : 10,
  };
}

/** Where the random problems come from; SNR: that of one OFDM symbol at rank 8. */
function drawProblem(seed) {
  const stream = randomStream(seed, "rank-choice");
  const between = (low, high) => low + (high - low) * stream.uniform();
  const logBetween = (low, high) => low * (high / low) ** stream.uniform();
  return {
    ratio: between(0.6, 0.9),
    heterogeneity: logBetween(0.3, 2),
    samples: Math.round(logBetween(100, 400)),
    snrDb: between(-10, 20),
  };
}

/** One problem: what was picked, and the mean gap of the last rounds at every rank. */
export function runTrial({ repeats, rounds, averaged }, seed) {
  const { snrDb, ...difficulty } = drawProblem(seed);
  const data = leastSquares({ ...reference, ...difficulty, seed });
  const ranks = Array.from({ length: data.dIn }, (_, i) => i + 1);
  const problems = ranks.map((rank) => data.atRank(rank));
  const scenario = scenarioOf(data, problems, { rounds, snrDb, seed });
  const picked = minimizeOptimalityGap(scenario);
  const random = minimizeOptimalityGap({ ...scenario, solver: { ...scenario.solver, rankSearch: "random" } });

  const channel = rayleighChannel({ ...radio, seed });
  const gaps = [];
  let initial;
  for (const rank of [...ranks].reverse()) {
    const design = designBeamformers({
      channel,
      streams,
      noiseVariance,
      power: powerAt(rank, snrDb, data.dOut),
      effort: "fast",
      certificate: false,
      ...(initial === undefined ? {} : { initial }),
    });
    initial = design;
    const link = overTheAirLink({ channel, design, noiseVariance });
    const problem = problems[rank - 1];
    const runs = Array.from({ length: repeats }, (_, run) => {
      const { gaps: path } = train({ problem, link, rounds, seed: 1000 * seed + run });
      return mean(path.slice(-averaged));
    });
    gaps[rank - 1] = mean(runs);
  }
  return { seed, ...difficulty, snrDb, picked: picked.rank, bound: picked.gap, random: random.rank, gaps };
}

/** The scenario of a problem, with constants of a pilot run per rank. */
function scenarioOf(data, problems, { rounds, snrDb, seed }) {
  const peak = powerAt(1, snrDb, data.dOut);
  const logged = problems.map((problem) => pilotConstants(problem, rounds));
  return {
    channel: { model: "rayleigh", ...radio, seed },
    link: {
      streams,
      noiseVariance,
      // the peak power is that of rank 1; the energy of a round is one OFDM symbol at that power
      snrDb: 10 * Math.log10(peak / (radio.subcarriers * noiseVariance)),
      symbolDuration: 1,
      energyPerRound: peak,
    },
    learning: {
      form: "quadratic",
      smoothness: problems.map(({ smoothness }) => smoothness),
      plConstant: problems.map(({ plConstant }) => plConstant),
      initialGap: data.initialGap,
      rounds,
      gradientFloor: logged.map(({ gradientFloor }) => gradientFloor.value),
      gradientSlope: logged.map(({ gradientSlope }) => gradientSlope.value),
      dissimilarityFloor: logged.map(({ dissimilarityFloor }) => dissimilarityFloor.value),
      dissimilaritySlope: logged.map(({ dissimilaritySlope }) => dissimilaritySlope.value),
    },
    lora: {
      layers: [{ dOut: data.dOut, dIn: data.dIn }],
      trained: "loraB",
      residual: {
        kind: "spectral",
        spectrum: { kind: "values", values: data.singularValues },
        smoothness: data.weightSmoothness,
      },
    },
    solver: { scheme: "manifold", effort: "fast", rankSearch: "backtracking", maxRank: data.dIn, seed },
  };
}

/** a1 and a2 from the log of training without a radio. */
function pilotConstants(problem, rounds) {
  const records = [];
  train({
    problem,
    rounds,
    seed: 0,
    onRound: ({ round, loraB, gradients }) => {
      const parameters = loraB.slice();
      const loss = problem.gap(loraB);
      gradients.forEach((gradient, device) => {
        records.push({ round, device, parameters, gradient: gradient.slice(), loss });
      });
    },
  });
  return estimateConstants(records, { optimum: problem.floor }).constants;
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
