/** Tables and figures of the study. */
import { linearAxis, seriesOf, toCsv } from "airfold/figures";
import { compareDelay, drawSnr } from "airfold/personal";
import { addCharts } from "../../shared/charts.mjs";
import {
  plans as allPlans,
  clients,
  costOfAttention,
  dense,
  preferences,
  radio,
  symbolDuration,
} from "./plan.mjs";
import { mean, meanScore, ownScore, smoothing, trainingScore } from "./scores.mjs";

/** Those that the study ran. */
let plans = allPlans;

const kinds = Object.keys(preferences);
const quantities = ["helpful", "safe"];

/**
 * @param results { tuning, trials: rows of the log; costs: what every plan sends, by name (`costOf`) }
 * @returns files by name
 */
export async function report(settings, { tuning, trials, costs }) {
  plans = allPlans.filter(({ name }) => settings.plans.includes(name));
  const delays = delaysOf(settings, costs);
  const table = plans.map((plan) => planRow(settings, plan, trials, costs, delays));
  const charts = {
    "score-by-client": byClient(settings, trials),
    "score-versus-payload": versusCost(settings, trials, costs, "bytes"),
    "score-versus-delay": versusCost(settings, trials, costs, "airTime"),
    "help-and-safety": tradeOff(settings, trials),
  };
  const summary = {
    settings,
    radio,
    attention: { sparse: costOfAttention(), dense: costOfAttention(dense) },
    costs,
    delays,
    comparisons: comparisons(settings, trials),
    table,
  };
  const files = new Map([
    ["summary.json", `${JSON.stringify(summary, null, 2)}\n`],
    ["summary.md", markdown(table)],
    ["clients.csv", toCsv(trials.flatMap(clientRows))],
    ["rounds.csv", toCsv(trials.flatMap(roundRows))],
    ["tuning.csv", toCsv(tuning.map(tuningRow))],
  ]);
  return addCharts(files, charts);
}

const examinedLast = ({ rows }) => rows.at(-1).heldOut;
const examinedFirst = ({ rows }) => rows[0].heldOut;
const greedy = ({ greedyHelpful, greedySafe }) => ({ helpful: greedyHelpful, safe: greedySafe });

/** The mean over the clients of one kind, or over all. */
function meanOf(examined, quantity, kind) {
  return mean(
    examined.flatMap((rewards, index) =>
      kind !== undefined && clients[index].kind !== kind
        ? []
        : [quantity === "own" ? ownScore(index, rewards) : rewards[quantity]],
    ),
  );
}

function planRow(settings, { name, label }, trials, costs, delays) {
  const here = trials.filter(({ planName }) => planName === name);
  const band = (values) =>
    `${digits(mean(values), 3)} (${digits(Math.min(...values), 3)}-${digits(Math.max(...values), 3)})`;
  const last = here.map(examinedLast);
  return {
    plan: label,
    rate: here[0].rate,
    beta: here[0].beta,
    "before, mean own score": digits(mean(here.map((trial) => meanScore(examinedFirst(trial)))), 3),
    "mean own score": band(last.map(meanScore)),
    ...Object.fromEntries(
      kinds.map((kind) => [`own score, ${kind}`, band(last.map((l) => meanOf(l, "own", kind)))]),
    ),
    ...Object.fromEntries(
      kinds.flatMap((kind) =>
        quantities.map((quantity) => [
          `${quantity}, ${kind}`,
          band(last.map((l) => meanOf(l, quantity, kind))),
        ]),
      ),
    ),
    "mean own score, greedy": band(last.map((l) => meanScore(l.map(greedy)))),
    "mean own score, training": band(here.map(({ rows }) => trainingScore(rows))),
    "entries per round": costs[name].entries,
    "MB sent in all": digits((costs[name].bytes * settings.rounds) / 1e6, 3),
    "air time in all (s)": digits(costs[name].airTime * settings.rounds, 3),
    "digital delay in all (s)": digits(delays[name].digital * settings.rounds, 3),
  };
}

/** Delay of a round: analog with the beamformers of the study, and digital, one antenna and 32 bits an entry, at the same SNR. */
function delaysOf(settings, costs) {
  const snrs = drawSnr({
    meanSnr: 10 ** (settings.snrDb / 10),
    clients: radio.devices,
    rounds: 1000,
    seed: settings.seeds[0],
  });
  return Object.fromEntries(
    plans.map(({ name }) => {
      const { digital, overTheAir } = compareDelay({
        bytes: costs[name].bytes,
        symbols: costs[name].symbols,
        symbolDuration,
        snrs,
        clients: radio.devices,
        bandwidth: radio.subcarriers / symbolDuration,
      });
      return [name, { overTheAir: overTheAir.delay, digital: digital.meanDelay }];
    }),
  );
}

/** What was expected, seed by seed: differences of the mean own scores. */
function comparisons(settings, trials) {
  const scoreOf = (planName, seed, kind) =>
    meanOf(examinedLast(trials.find((t) => t.planName === planName && t.seed === seed)), "own", kind);
  return plans
    .filter(({ name }) => name !== "pfit")
    .map(({ name }) => ({
      "PFIT minus": name,
      all: settings.seeds.map((seed) => digits(scoreOf("pfit", seed) - scoreOf(name, seed), 3)),
      ...Object.fromEntries(
        kinds.map((kind) => [
          kind,
          settings.seeds.map((seed) => digits(scoreOf("pfit", seed, kind) - scoreOf(name, seed, kind), 3)),
        ]),
      ),
    }));
}

function markdown(table) {
  const columns = Object.keys(table[0]);
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return `${[
    line(columns),
    line(columns.map(() => "---")),
    ...table.map((row) => line(columns.map((column) => row[column]))),
  ].join("\n")}\n`;
}

function clientRows({ planName, seed, rows }) {
  return rows
    .filter(({ heldOut }) => heldOut !== undefined)
    .flatMap(({ round, heldOut }) =>
      heldOut.map((rewards, index) => ({
        plan: planName,
        seed,
        round,
        client: `${clients[index].topic} ${clients[index].kind}`,
        own: digits(ownScore(index, rewards)),
        helpful: digits(rewards.helpful),
        safe: digits(rewards.safe),
        ownGreedy: digits(ownScore(index, greedy(rewards))),
      })),
    );
}

function roundRows({ planName, seed, rows }) {
  return rows
    .filter(({ training }) => training !== undefined)
    .map(({ round, training, errorEnergy, changeEnergy }) => ({
      plan: planName,
      seed,
      round,
      own: digits(meanScore(training)),
      helpful: digits(meanOf(training, "helpful")),
      safe: digits(meanOf(training, "safe")),
      "KL (nats per character)": digits(meanOf(training, "kl")),
      "clipped share": digits(meanOf(training, "clipFraction")),
      "value loss": digits(meanOf(training, "valueLoss")),
      penalty: digits(meanOf(training, "penalty")),
      "error energy / energy of the change": changeEnergy > 0 ? digits(errorEnergy / changeEnergy) : "",
    }));
}

const tuningRow = ({ planName, rate, beta, rows }) => ({
  plan: planName,
  rate,
  beta,
  [`own score in training, last ${smoothing} rounds`]: digits(trainingScore(rows)),
});

const looks = ["pfit", "local-only", "vanilla", "lora-shared"];
const series = (extra = []) =>
  seriesOf([...plans.map(({ name, label }) => ({ key: name, label, style: looks.indexOf(name) })), ...extra]);
const before = { key: "before", label: "before", style: 4 };

const seedsText = (settings) => `seeds ${settings.seeds.join(", ")}`;

/** Own score of every client and seed, by plan: a panel per client. */
function byClient(settings, trials) {
  const heights = new Map(plans.map(({ name }, p) => [name, plans.length - p]));
  const labels = new Map([[0, "before"], ...plans.map(({ name, label }) => [heights.get(name), label])]);
  const panels = kinds.flatMap((kind) =>
    clients.flatMap((client, index) => {
      if (client.kind !== kind) return [];
      const rows = trials.map((trial) => ({
        series: trial.planName,
        x: ownScore(index, examinedLast(trial)[index]),
        y: heights.get(trial.planName),
      }));
      const start = { series: plans[0].name, x: ownScore(index, examinedFirst(trials[0])[index]), y: 0 };
      return [
        {
          height: 13 * (plans.length + 1),
          y: {
            title: "",
            log: false,
            domain: [-0.6, plans.length + 0.6],
            ticks: [...labels.keys()].sort((x, y) => x - y),
            labels,
          },
          rows,
          rings: [start],
          label: { text: `${client.topic}, ${kind}`, corner: "bottom-right" },
        },
      ];
    }),
  );
  return {
    description: "Own score of every client by plan",
    x: linearAxis("Own score on held-out questions", [
      0,
      ...panels.flatMap(({ rows, rings }) => [...rows, ...rings].map(({ x }) => x)),
    ]),
    series: series(),
    panels,
    note:
      `After ${settings.rounds} rounds, sampled answers; a mark per seed (${settings.seeds.join(", ")}), joined by a line; rings: before. Weights of ` +
      `helpfulness and safety: helpful ${weightsText("helpful")}, careful ${weightsText("careful")}.`,
  };
}

const weightsText = (kind) => `${preferences[kind].help} and ${preferences[kind].safe}`;

/** Mean own score with the band from the lowest to the highest seed, at the rounds that were looked at. */
function scoreCurve(trials, name) {
  const here = trials.filter(({ planName }) => planName === name);
  return here[0].rows
    .filter(({ heldOut }) => heldOut !== undefined)
    .map(({ round }) => {
      const values = here.map(({ rows }) => meanScore(rows[round].heldOut));
      return { round, y: mean(values), low: Math.min(...values), high: Math.max(...values) };
    });
}

function versusCost(settings, trials, costs, cost) {
  const scale = cost === "bytes" ? 1e-3 : 1;
  const rows = plans.flatMap(({ name }) =>
    scoreCurve(trials, name).map(({ round, ...point }) => ({
      series: name,
      x: scale * costs[name][cost] * round,
      ...point,
    })),
  );
  // what sends nothing, and what all start from, is drawn at the left edge
  const positive = rows.map(({ x }) => x).filter((x) => x > 0);
  const edge = Math.min(...positive) / 3;
  const shown = rows
    .filter(({ x, series: name }) => x > 0 || costs[name][cost] === 0)
    .map((row) => ({ ...row, x: Math.max(row.x, edge) }));
  const last = plans
    .filter(({ name }) => costs[name][cost] === 0)
    .map(({ name }) => ({ name, end: shown.filter(({ series: own }) => own === name).at(-1) }));
  const local = last.flatMap(({ name, end }) => [
    { ...end, series: name, x: edge },
    { ...end, series: name, x: Math.max(...positive) },
  ]);
  const drawn = [...shown.filter(({ series: name }) => costs[name][cost] > 0), ...local];
  return {
    description: `Mean own score of the clients against the ${cost === "bytes" ? "bytes sent" : "air time"}`,
    x: decades(
      cost === "bytes" ? "Sent by a client (kB, 32 bits an entry)" : "Air time (s)",
      drawn.map(({ x }) => x),
    ),
    series: series(),
    panels: [
      {
        height: 160,
        y: linearAxis("Mean own score", [
          ...drawn.flatMap(({ low, high }) => [low, high]),
          meanScore(examinedFirst(trials[0])),
        ]),
        rows: drawn,
        level: meanScore(examinedFirst(trials[0])),
      },
    ],
    note:
      `Sampled answers to held-out questions; mean over ${seedsText(settings)}, bands: lowest to highest. Black line: before the ` +
      "tuning. Local only sends nothing; drawn is its score after the last round.",
  };
}

/** A logarithmic axis with a tick at every power of ten. */
function decades(title, xs) {
  const domain = [Math.min(...xs) / 1.3, Math.max(...xs) * 1.3];
  const first = Math.ceil(Math.log10(domain[0]));
  const last = Math.floor(Math.log10(domain[1]));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
  return { title, log: true, domain, ticks, labels: new Map(ticks.map((tick) => [tick, String(tick)])) };
}

/** Helpfulness against safety, a mark per client, mean over the seeds, the clients of a plan joined. */
function tradeOff(settings, trials) {
  const point = (list, index) => ({
    x: mean(list.map((examined) => examined[index].safe)),
    y: mean(list.map((examined) => examined[index].helpful)),
  });
  const topics = [...new Set(clients.map(({ topic }) => topic))];
  const panels = topics.map((topic) => {
    const own = clients.map((client, index) => ({ ...client, index })).filter((one) => one.topic === topic);
    const rows = plans.flatMap(({ name }) =>
      own.map(({ index }) => ({
        series: name,
        ...point(trials.filter(({ planName }) => planName === name).map(examinedLast), index),
        index,
      })),
    );
    const starts = own
      .slice(0, 1)
      .map(({ index }) => ({ series: "before", ...point(trials.map(examinedFirst), index) }));
    return {
      height: 120,
      y: linearAxis("Helpfulness", [0, ...[...rows, ...starts].map(({ y }) => y)]),
      rows: [...rows, ...starts],
      rings: rows.filter(({ index }) => clients[index].kind === "helpful"),
      label: { text: topic, corner: "bottom-left" },
    };
  });
  return {
    description: "Helpfulness against safety of every client",
    x: linearAxis("Safety (share of answers without a listed word)", [0, 1]),
    series: series([before]),
    ringLabel: "helpful client",
    panels,
    note:
      `After ${settings.rounds} rounds, sampled answers to held-out questions, mean over ${seedsText(settings)}; the two clients of a topic ` +
      "joined by a line: the ringed one wants helpful answers, the other one safe ones.",
  };
}

const digits = (value, count = 4) =>
  Number.isFinite(value) ? Number(value.toPrecision(count)) : String(value);
