/**
 * What the server learns before the training over the air: where to put the rows of loraA, the constants of the bound, and
 * the spectrum of the update. A few rounds without a radio at some ranks; the ranks between are interpolated.
 */
import { estimateConstants, estimateSpectrum } from "airfold/bounds";
import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { scale, trained } from "./plan.mjs";
import { heldOutBatches } from "./tasks.mjs";
import { batchOf, energyOf, meanOf, pick, trainedEntries } from "./training.mjs";
import { adapterEntries, adapterTargets } from "./transformer.mjs";

/** The constants of a scenario that a log can tell. */
const constantNames = [
  "smoothness",
  "plConstant",
  "initialGap",
  "gradientFloor",
  "gradientSlope",
  "stochasticVariance",
  "dissimilarityFloor",
  "dissimilaritySlope",
];

/** Right singular vectors of the gradient of the server's own sample in every target, strongest first: dIn x dIn each. */
export function pilotDirections(model, architecture, task, { count, length }) {
  const targets = adapterTargets(architecture);
  const batches = heldOutBatches(task.pilot, { count, length, batches: 8 });
  const sums = targets.map(({ dOut, dIn }) => new Float64Array(dOut * dIn));
  for (const batch of batches) {
    const gradients = model.weightGradientOf(
      batch,
      targets.map(({ name }) => name),
    );
    targets.forEach(({ name }, t) => {
      const gradient = gradients.get(name);
      for (let i = 0; i < gradient.length; i++) sums[t][i] += gradient[i] / batches.length;
    });
  }
  return targets.map(({ dOut, dIn }, t) => {
    const { rightSingularVectors } = new SingularValueDecomposition(Matrix.from1DArray(dOut, dIn, sums[t]));
    return rightSingularVectors.transpose().to1DArray();
  });
}

/** loraB = 0, loraA = the first r directions: what all trainings of that rank start from. */
export function startAdapters(architecture, directions, rank) {
  const parameters = new Float64Array(adapterEntries(architecture, rank));
  let offset = 0;
  adapterTargets(architecture).forEach(({ dOut, dIn }, t) => {
    parameters.set(directions[t].slice(0, rank * dIn), offset + dOut * rank);
    offset += rank * (dOut + dIn);
  });
  return parameters;
}

/**
 * A pilot at one rank: every device descends on one batch that stays the same, so that the log is that of an exact
 * objective, and tells curvature from noise. Further batches at both ends tell the noise. The optimum that the constants
 * refer to is the lowest loss that the pilot reaches.
 *
 * @returns the log as constants, the spectra of loraB loraA at its end, and the mean curvature c along the whole update,
 *   F(W0) - F(W) = (c/2) ||W - W0||^2
 */
export function runPilot({ model, architecture, task, directions, rank, rounds, seed, batch }) {
  const parameters = startAdapters(architecture, directions, rank);
  const adapters = { rank, scale, parameters };
  const entries = trainedEntries(architecture, rank, trained);
  const gradientOf = (own, at) => {
    const { loss, gradient } = model.lossAndGradient(own, at);
    return { loss, gradient: pick(gradient, entries) };
  };
  const devices = task.train.map((_, device) => device);
  const fixed = devices.map((device) => batchOf(task, device, 0, seed, batch));
  const records = [];
  const replicates = [];
  let step;
  let gradientNorm;
  let lowest = Number.POSITIVE_INFINITY;
  for (let round = 0; round <= rounds; round++) {
    const point = pick(parameters, entries);
    const record = (device, { loss, gradient }) => ({ round, device, parameters: point, gradient, loss });
    const answers = fixed.map((own) => gradientOf(own, adapters));
    answers.forEach((answer, device) => {
      records.push(record(device, answer));
    });
    if (round === 0 || round === rounds) {
      for (const device of devices) {
        replicates.push(record(device, answers[device]));
        const other = batchOf(task, device, round, seed, batch, 1);
        replicates.push(record(device, gradientOf(other, adapters)));
      }
    }
    const loss = answers.reduce((sum, answer) => sum + answer.loss, 0) / devices.length;
    const isLower = loss < lowest;
    lowest = Math.min(lowest, loss);
    if (round === rounds) break;
    const mean = meanOf(answers.map(({ gradient }) => gradient));
    gradientNorm ??= Math.sqrt(energyOf(mean));
    step ??= 1 / curvatureAlong((own, at) => gradientOf(own, at).gradient, fixed, adapters, entries, mean);
    // the curvature along the first gradient is not the largest one
    if (!isLower) step /= 2;
    for (let i = 0; i < entries.length; i++) parameters[entries[i]] -= step * mean[i];
  }
  const exact = estimateConstants(records, { optimum: lowest });
  const noisy = estimateConstants(replicates);
  const constants = {
    ...exact.constants,
    stochasticVariance: noisy.constants.stochasticVariance,
  };
  const known = constantNames.filter((name) => constants[name] !== undefined);
  const meanLossAt = (round) =>
    records.reduce((sum, one) => sum + (one.round === round ? one.loss / devices.length : 0), 0);
  const losses = Array.from({ length: rounds + 1 }, (_, round) => meanLossAt(round));
  const spectra = updateSpectra(architecture, parameters, rank);
  return {
    rank,
    step,
    constants: {
      ...Object.fromEntries(known.map((name) => [name, constants[name].value])),
      // of the first round: no aggregate of the training counts for more
      gradientNorm,
    },
    intervals: Object.fromEntries(known.map((name) => [name, constants[name].interval])),
    missing: exact.missing,
    losses,
    spectra,
    curvature: (2 * (losses[0] - lowest)) / spectra.reduce((sum, values) => sum + energyOf(values), 0),
  };
}

/** ||H d|| of the mean loss of the batches for the unit vector d along the gradient, by a difference of gradients. */
function curvatureAlong(gradientOf, batches, adapters, entries, gradient) {
  const size = Math.sqrt(energyOf(gradient));
  const reach = 0.05;
  const ahead = adapters.parameters.slice();
  entries.forEach((position, i) => {
    ahead[position] -= (reach * gradient[i]) / size;
  });
  const there = meanOf(batches.map((batch) => gradientOf(batch, { ...adapters, parameters: ahead })));
  return Math.sqrt(energyOf(there.map((value, i) => value - gradient[i]))) / reach;
}

function updateSpectra(architecture, parameters, rank) {
  let offset = 0;
  return adapterTargets(architecture).map(({ dOut, dIn }) => {
    const loraB = Matrix.from1DArray(dOut, rank, parameters.subarray(offset, offset + dOut * rank));
    offset += dOut * rank;
    const loraA = Matrix.from1DArray(rank, dIn, parameters.subarray(offset, offset + rank * dIn));
    offset += rank * dIn;
    return estimateSpectrum(loraB.mmul(loraA).mul(scale)).values;
  });
}
