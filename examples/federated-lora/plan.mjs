/**
 * What the study runs: tasks, seeds, signal-to-noise ratios, schemes, and the steps that each of them may try. What was fixed
 * before the run and what came later: README.md.
 */
import { radioOf } from "../shared/radio.mjs";

/** The radio: 10 devices with 4 antennas, 4 streams, a server with 16 antennas, 4 subcarriers. */
export const radio = radioOf(10);
export { noiseVariance, streams, symbolDuration } from "../shared/radio.mjs";
/** The rank whose OFDM symbols have the stated SNR; the energy of a round is the same for all ranks. */
export const referenceRank = 8;
/** (alpha/r), the same for all ranks. */
export const scale = 1;
/** loraA stays where the server's pilot put it, unless a scheme says otherwise. */
export const trained = "loraB";

/**
 * The schemes: beamformers (a scheme of `designBeamformers`), rank, and what is trained. `picked`: the one that airfold chooses; `largest` and
 * `smallest`: the ends of the range that it chooses from.
 */
export const schemes = [
  { name: "ideal", label: "ideal, largest rank", beam: "ideal", rank: "largest" },
  { name: "ideal-picked", label: "ideal, rank of airfold", beam: "ideal", rank: "picked" },
  { name: "airfold", label: "airfold", beam: "manifold", rank: "picked" },
  { name: "alternating", label: "alternating", beam: "alternating", rank: "picked" },
  { name: "smallest", label: "smallest rank", beam: "manifold", rank: "smallest" },
  { name: "largest", label: "largest rank", beam: "manifold", rank: "largest" },
  { name: "centroid", label: "centroid", beam: "centroid", rank: "picked" },
  { name: "random", label: "random beams", beam: "random", rank: "picked" },
  { name: "digital", label: "digital OFDMA", beam: "digital", rank: "picked" },
  { name: "both", label: "airfold, loraA trained too", beam: "manifold", rank: "picked", trained: "both" },
];

/** Manifold beamformers at ranks that nobody picked, with airfold's step: was the picked rank a good one? */
export const sweep = { name: "sweep", beam: "manifold", stepOf: "airfold" };

/** The settings of the full study and of the quick one. */
export function plan(quick) {
  return {
    tasks: quick ? ["facts"] : ["facts", "pronunciation"],
    smallestRank: 1,
    largestRank: quick ? 8 : 32,
    /** characters: a batch of a device and of a round */
    batch: { count: quick ? 1 : 8, length: 64 },
    rounds: quick ? 4 : 40,
    /** rounds in which the step grows to its length: the first gradients see the largest curvature */
    warmUp: quick ? 1 : 5,
    /** held-out text is looked at so often, and so many windows of it */
    evaluate: { every: quick ? 2 : 5, count: quick ? 8 : 32, batches: quick ? 1 : 3 },
    /** noise-free rounds at some ranks that give the constants and the spectrum */
    pilot: { ranks: quick ? [1, 8] : [1, 4, 12, 32], rounds: quick ? 4 : 30, seed: 1000 },
    /**
     * steps that every scheme tries, in units of 1/L of its rank, on one seed, with so many rounds; while the largest is the
     * best one, twice that too
     */
    tuning: {
      steps: quick ? [1] : [1, 2, 4, 8],
      largestStep: quick ? 1 : 64,
      rounds: quick ? 2 : 16,
      seed: 2000,
    },
    middleSnrDb: 0,
    /** at the middle SNR all schemes on all seeds; at the others these */
    seeds: quick ? [1] : [11, 12, 13],
    otherSnrDb: quick ? [] : [-10, 10],
    otherSeeds: [quick ? 1 : 11],
    otherSchemes: ["airfold", "smallest", "largest", "random", "digital"],
    schemes: quick ? ["ideal", "airfold", "random"] : schemes.map(({ name }) => name),
    /** other ranks, at the middle SNR */
    sweep: quick ? { ranks: [], seeds: [] } : { ranks: [2, 4, 8, 16, 24], seeds: [11] },
  };
}

/** All trainings whose result is reported, the middle SNR first. */
export function trialsOf(settings) {
  const trials = [];
  const add = (task, scheme, snrDb, seed) =>
    trials.push({ id: `${task} ${scheme} ${snrDb} dB seed ${seed}`, task, scheme, snrDb, seed });
  for (const seed of settings.seeds) {
    for (const task of settings.tasks) {
      for (const scheme of settings.schemes) add(task, scheme, settings.middleSnrDb, seed);
    }
  }
  for (const snrDb of settings.otherSnrDb) {
    for (const seed of settings.otherSeeds) {
      for (const task of settings.tasks) {
        for (const scheme of settings.schemes) {
          if (settings.otherSchemes.includes(scheme)) add(task, scheme, snrDb, seed);
        }
      }
    }
  }
  for (const seed of settings.sweep.seeds) {
    for (const task of settings.tasks) {
      for (const rank of settings.sweep.ranks) {
        const snrDb = settings.middleSnrDb;
        trials.push({
          id: `${task} rank ${rank} ${snrDb} dB seed ${seed}`,
          task,
          scheme: sweep.name,
          fixedRank: rank,
          snrDb,
          seed,
        });
      }
    }
  }
  return trials;
}

/** The trainings that choose the step of each scheme, at the middle SNR. */
export function tuningTrialsOf(settings) {
  return settings.tasks.flatMap((task) =>
    settings.schemes.flatMap((scheme) =>
      settings.tuning.steps.map((step) => tuningTrial(settings, task, scheme, step)),
    ),
  );
}

export function tuningTrial(settings, task, scheme, step) {
  const id = `tuning ${task} ${scheme} step ${step}`;
  const { seed } = settings.tuning;
  return { id, task, scheme, snrDb: settings.middleSnrDb, seed, step, tuning: true };
}
