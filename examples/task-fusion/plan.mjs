/**
 * What the study runs: tasks, network, radio, seeds, powers, arms. What was fixed before the run: README.md.
 */
import { pixels, taskSets } from "./data.mjs";

/** The radio: 8 users with 2 antennas and 2 streams each, a server with 32 antennas. */
export const radio = { users: 8, antennas: 32, streams: 2, snrDb: 0 };

/** The part of the trunk that is not sent, in the arms that freeze: with it, users train the rest only. */
export const mask = ["layer1.*"];
/** Heads belong to the base and stay, as the text heads of CLIP do; realignment trains them. */
export const heads = ["head*"];

/** Received models: `frozen`: without the masked part; `selected`: coefficients by validation, else those without noise. */
export const arms = [
  { name: "unaware", label: "coefficients without noise", frozen: false, selected: false, realigned: false },
  { name: "unprotected", label: "unprotected", frozen: false, selected: true, realigned: false },
  { name: "frozen", label: "frozen", frozen: true, selected: true, realigned: false },
  { name: "realigned", label: "realigned", frozen: false, selected: true, realigned: true },
  { name: "protected", label: "protected: frozen, realigned", frozen: true, selected: true, realigned: true },
];

/** The settings of the full study and of the quick one. */
export function plan(tasks, quick) {
  return {
    tasks,
    seeds: quick ? [1] : [11, 12, 13, 14, 15],
    hidden: quick ? [48, 48] : [256, 256],
    /** images of a source that all tasks on it share, and images per task */
    images: quick
      ? { base: 160, train: 1024, test: 150, shots: 10, validation: 30 }
      : { base: 160, train: 5120, test: 600, shots: 20, validation: 50 },
    /** samples per task and step */
    base: { batch: 16, steps: 60, learningRate: 3e-3 },
    fineTuning: { batch: 128, steps: quick ? 30 : 100, learningRate: 1.5e-3 },
    coefficients: Array.from({ length: quick ? 6 : 11 }, (_, i) => (quick ? i / 5 : i / 10)),
    realignment: { steps: quick ? 10 : 30, learningRate: 5e-4, validateEvery: 5 },
    /** jammer over thermal noise, per antenna of the server */
    jammerDb: quick ? [0, 20] : [0, 10, 15, 20, 25, 30],
    kinds: ["white", "sum-rate"],
    /** other objectives of the jammer at this power */
    otherKinds: quick ? [] : ["strongest-user", "mse"],
    middleDb: 20,
    /** powers of the worst case at which the noise is also taken as the MSE itself, without undoing the shrinkage */
    shrunkDb: quick ? [] : [20, 30],
    disentanglement: { samples: quick ? 20 : 40, draws: quick ? 2 : 3, probes: quick ? 4 : 6 },
  };
}

export const architectureOf = ({ tasks, hidden }) => ({
  inputs: pixels,
  hidden,
  classes: taskSets[tasks].map(({ classes }) => classes),
});

/** Models, then everything that is received: no noise, thermal noise only, and a jammer. */
export function jobsOf(settings) {
  const models = settings.seeds.map((seed) => ({ id: `models seed ${seed}`, kind: "models", seed }));
  const conditions = settings.seeds.flatMap((seed) => {
    const received = (noise, jammerDb, symbols = "unbiased") => ({
      id: `${noise}${jammerDb === undefined ? "" : ` ${jammerDb} dB`}${symbols === "mse" ? " shrunk" : ""} seed ${seed}`,
      kind: "condition",
      seed,
      noise,
      ...(jammerDb === undefined ? {} : { jammerDb }),
      symbols,
    });
    return [
      received("none"),
      received("thermal"),
      ...settings.jammerDb.flatMap((db) => settings.kinds.map((noise) => received(noise, db))),
      ...settings.otherKinds.map((noise) => received(noise, settings.middleDb)),
      ...settings.shrunkDb.map((db) => received("sum-rate", db, "mse")),
    ];
  });
  return { models, conditions };
}
