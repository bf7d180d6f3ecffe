/** Federated training of loraB with gradients that are summed over the air, or exactly. */
import { noiseVariance, radioOf, streams } from "../shared/radio.mjs";

/** The radio of the study: 10 devices with 4 antennas, 4 streams, a server with 16 antennas, 4 subcarriers. */
export const radio = radioOf(10);
export { noiseVariance, streams } from "../shared/radio.mjs";

/** Real numbers in one OFDM symbol: N_sym = 32 r / 32 = r. */
const perSymbol = 2 * streams * radio.subcarriers;
/** The rank whose symbols have the stated SNR; the energy per round is the same for all ranks. */
export const referenceRank = 8;

/** P_k(r) for an energy per round that gives the stated SNR at the reference rank. */
export function powerAt(rank, snrDb, dOut) {
  const symbols = Math.ceil((dOut * rank) / perSymbol);
  const reference = Math.ceil((dOut * referenceRank) / perSymbol);
  return (radio.subcarriers * noiseVariance * 10 ** (snrDb / 10) * reference) / symbols;
}

/**
 * Trains for some rounds with step 1/L.
 *
 * @param problem as `leastSquares(...).atRank(r)` gives it
 * @param link from `overTheAirLink`, or undefined for exact sums
 * @param seed of interleaving, signs and noise; rounds use seed 1000 seed + t
 * @param onRound called before the update of every round with what was sent and received
 * @returns F(W_t) - F* for t = 0..rounds, and for every round what the error of the sum was expected to be,
 *   E||estimate - gradient||^2 given the gradients, and what it was
 */
export function train({ problem, link, rounds, seed, devices = radio.devices, onRound }) {
  const { entries, smoothness } = problem;
  const loraB = new Float64Array(entries);
  const gradients = Array.from({ length: devices }, () => new Float64Array(entries));
  const mean = new Float64Array(entries);
  const gaps = new Float64Array(rounds + 1);
  const expected = new Float64Array(rounds);
  const measured = new Float64Array(rounds);
  gaps[0] = problem.gap(loraB);
  for (let t = 0; t < rounds; t++) {
    problem.gradients(loraB, gradients);
    mean.fill(0);
    for (const gradient of gradients) for (let i = 0; i < entries; i++) mean[i] += gradient[i] / devices;
    const sum = link?.aggregate(gradients, 1000 * seed + t);
    onRound?.({ round: t, loraB, gradients, mean, sum });
    const used = sum?.estimate ?? mean;
    for (let i = 0; i < entries; i++) {
      measured[t] += (used[i] - mean[i]) ** 2;
      loraB[i] -= used[i] / smoothness;
    }
    expected[t] = sum?.expectedSquaredError ?? 0;
    gaps[t + 1] = problem.gap(loraB);
  }
  return { gaps, expected, measured };
}
