/** What the study runs: populations, plans, the radio, seeds, and the learning rates that each plan may try. */
import { sharingPlan } from "airfold/personal";
import { radioOf, symbolDuration } from "../../shared/radio.mjs";

/** The radio of federated-lora with as many devices as there are clients. */
export const radio = radioOf(8);
export { noiseVariance, streams, symbolDuration } from "../../shared/radio.mjs";
/** Hz: the subcarriers at one symbol per symbol duration each, for digital transmissions. */
export const bandwidth = radio.subcarriers / symbolDuration;

/** Width of the adapters. */
export const bottleneck = 8;
/** LoRA rank of all clients where LoRA is shared, and of each client where it is private; the mean is the same. */
export const commonRank = 4;
export const privateRanks = [2, 8, 4, 2, 8, 4, 2, 2];

/** The tuned tensors by part of the model. */
const parts = { lora: "*.lora?", adapters: "*.adapter.*", head: "head.*" };
/** The same with the last layer apart, all that is tuned in it. */
const partsByLayer = {
  lora: "layer0.*.lora?",
  adapters: "layer0.*.adapter.*",
  lastLayers: ["layer1.*", "head.*"],
};

/** All plans tune the same tensors; they differ in which of them are shared. */
export const plans = [
  {
    name: "vanilla",
    label: "all shared (vanilla)",
    patterns: sharingPlan("vanilla", parts),
    ranks: "common",
  },
  {
    name: "split",
    label: "body shared, head private",
    patterns: sharingPlan("split", parts),
    ranks: "common",
  },
  {
    name: "last-layers-shared",
    label: "last layers shared (PFIT)",
    patterns: sharingPlan("last-layers-shared", partsByLayer),
    ranks: "common",
  },
  {
    name: "lora-shared",
    label: "LoRA shared",
    patterns: sharingPlan("lora-shared", parts),
    ranks: "common",
  },
  {
    name: "adapters-shared",
    label: "adapters shared (PFTT)",
    patterns: sharingPlan("adapters-shared", parts),
    ranks: "private",
  },
  {
    name: "local-only",
    label: "nothing shared (local)",
    patterns: sharingPlan("local-only", parts),
    ranks: "private",
  },
];

export const ranksOf = ({ ranks }) => privateRanks.map((rank) => (ranks === "common" ? commonRank : rank));

/** The settings of the full study and of the quick one. */
export function plan(quick) {
  return {
    /** by population, the plans that are trained over the air, and those that are trained with exact sums too */
    populations: quick
      ? { dictionaries: { air: ["vanilla", "adapters-shared", "local-only"], exact: ["adapters-shared"] } }
      : {
          dictionaries: { air: plans.map(({ name }) => name), exact: ["vanilla", "adapters-shared"] },
        },
    snrDb: 0,
    /** of training text per client; the sweep has the rates that were chosen at the first number */
    characters: 1_500,
    sweep: quick
      ? { characters: [], plans: [] }
      : { characters: [500, 4_500], plans: ["adapters-shared", "local-only"] },
    rounds: quick ? 2 : 20,
    /** rounds between two saved states of a training */
    saveEvery: quick ? 1 : 5,
    /** on every device and in every round; batches of windows of the client's text */
    local: { steps: quick ? 1 : 4, count: 2, length: 64 },
    /** rounds after which test text is looked at, and how many windows of it; the last one is reported */
    evaluate: { rounds: quick ? [2] : [5, 10, 20], count: quick ? 4 : 24, length: 64 },
    /**
     * Adam's rates that every plan tries, on one seed, by the validation loss after the last round; while the largest or
     * the smallest is the best one, twice or half of it too
     */
    tuning: {
      rates: quick ? [0.004] : [0.004, 0.008, 0.016],
      bounds: quick ? [0.004, 0.004] : [0.0005, 0.128],
      seed: 2000,
    },
    seeds: quick ? [1] : [11, 12, 13],
  };
}

const linkOf = (name) => (name === "local-only" ? "none" : "air");

/** All trainings whose result is reported. */
export function trialsOf(settings) {
  const trials = [];
  const add = (population, name, link, seed, characters) => {
    const id = `${population} ${name} ${link} seed ${seed}`;
    const more = characters === settings.characters ? "" : ` ${characters} characters`;
    trials.push({ id: `${id}${more}`, population, plan: name, link, seed, characters });
  };
  for (const [population, { air, exact }] of Object.entries(settings.populations)) {
    for (const seed of settings.seeds) {
      for (const name of air) add(population, name, linkOf(name), seed, settings.characters);
      for (const name of exact) add(population, name, "exact", seed, settings.characters);
    }
  }
  const [population] = Object.keys(settings.populations);
  for (const characters of settings.sweep.characters) {
    for (const seed of settings.seeds) {
      for (const name of settings.sweep.plans) add(population, name, linkOf(name), seed, characters);
    }
  }
  return trials;
}

/** The first trainings of every plan that choose its rate. */
export function tuningTrialsOf(settings) {
  return Object.entries(settings.populations).flatMap(([population, { air }]) =>
    air.flatMap((name) => settings.tuning.rates.map((rate) => tuningTrial(settings, population, name, rate))),
  );
}

export function tuningTrial(settings, population, name, rate) {
  return {
    id: `tuning ${population} ${name} rate ${rate}`,
    population,
    plan: name,
    link: linkOf(name),
    seed: settings.tuning.seed,
    characters: settings.characters,
    rate,
    tuning: true,
  };
}
