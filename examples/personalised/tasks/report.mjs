/** Tables and figures of the study. */
import { categoryAxis, linearAxis, logAxis, meanInterval, seriesOf, sweepAxis, toCsv } from "airfold/figures";
import { addCharts } from "../../shared/charts.mjs";
import { populations } from "./clients.mjs";
import { bottleneck, commonRank, plans, privateRanks, radio, streams, symbolDuration } from "./plan.mjs";

const populationTitles = { dictionaries: "eight dictionaries", tasks: "four tasks" };

/** The plan that the expectation is about, and those that it should beat. */
const [candidate, rivals] = ["adapters-shared", ["vanilla", "local-only"]];

/** @returns files by name */
export async function report(settings, { tuning, trials: all }) {
  const trials = all.filter(({ characters }) => characters === settings.characters);
  const names = Object.keys(settings.populations);
  const table = names.flatMap((population) => tableRows(settings, trials, population));
  const comparisons = names.flatMap((population) => compare(settings, trials, population));
  const sweep = sweepRows(settings, all, names[0]);
  const charts = {
    "score-per-client": perClient(settings, trials, names),
    "score-versus-bytes": versusBytes(settings, trials, names[0]),
    "score-versus-delay": versusDelay(settings, trials, names[0]),
    ...(settings.sweep.characters.length > 0
      ? { "score-versus-data": versusData(settings, all, names[0]) }
      : {}),
  };
  const summary = {
    settings,
    radio,
    streams,
    bottleneck,
    commonRank,
    privateRanks,
    comparisons,
    sweep,
    table,
  };
  const files = new Map([
    ["summary.json", `${JSON.stringify(summary, null, 1)}\n`],
    ["summary.md", markdown(names, table, comparisons)],
    ["trials.csv", toCsv(all.map(trialRow))],
    ["clients.csv", toCsv(trials.flatMap(clientRows))],
    ["rounds.csv", toCsv(trials.flatMap(roundRows))],
    ["tuning.csv", toCsv(tuning.map(tuningRow))],
  ]);
  return addCharts(files, charts);
}

/** Mean loss over the clients at the last look, in nats per character; infinite if the training diverged. */
export const lossOf = ({ looks, diverged }) =>
  diverged === undefined ? mean(looks.at(-1).scores.map(({ loss }) => loss)) : Number.POSITIVE_INFINITY;

const accuracyOf = ({ looks, diverged }) =>
  diverged === undefined ? mean(looks.at(-1).scores.map(({ accuracy }) => accuracy)) : 0;

/** Geometric mean over the clients. */
const perplexityOf = (trial) => Math.exp(lossOf(trial));

/** Error energy of all aggregates over the energy of the mean changes. */
function relativeError({ link, rows }) {
  if (link !== "air") return 0;
  return sum(rows.map(({ errorEnergy }) => errorEnergy)) / sum(rows.map(({ changeEnergy }) => changeEnergy));
}

const pick = (trials, population, plan, link) =>
  trials.filter((one) => one.population === population && one.plan === plan && one.link === link);

/** Plans of a population with the link they have, in the order of plan.mjs: over the air first. */
function variants(settings, population) {
  const { air, exact } = settings.populations[population];
  return plans.flatMap(({ name, label }) => [
    ...(air.includes(name) ? [{ name, label, link: name === "local-only" ? "none" : "air" }] : []),
    ...(exact.includes(name) ? [{ name, label: `${label}, exact sums`, link: "exact" }] : []),
  ]);
}

function tableRows(settings, trials, population) {
  const local = pick(trials, population, "local-only", "none");
  return variants(settings, population).map(({ name, label, link }) => {
    const here = pick(trials, population, name, link);
    const perplexities = here.map(perplexityOf);
    const accuracies = here.map(accuracyOf);
    const [{ payload, rate }] = here;
    const better = here.map((trial) => {
      const own = local.find(({ seed }) => seed === trial.seed).looks.at(-1).scores;
      return trial.looks.at(-1).scores.filter(({ loss }, k) => loss < own[k].loss).length;
    });
    return {
      population: populationTitles[population],
      plan: label,
      "learning rate": rate,
      seeds: here.length,
      perplexity: digits(mean(perplexities), 4),
      "perplexity, lowest": digits(Math.min(...perplexities), 4),
      "perplexity, highest": digits(Math.max(...perplexities), 4),
      "accuracy (%)": digits(100 * mean(accuracies), 3),
      "accuracy, lowest": digits(100 * Math.min(...accuracies), 3),
      "accuracy, highest": digits(100 * Math.max(...accuracies), 3),
      "clients better than local": digits(mean(better), 2),
      "reals per round": payload.entries,
      "kB per round": digits(payload.bytes / 1000, 4),
      "OFDM symbols": payload.symbols,
      "air time (ms)": digits(1000 * mean(here.map(({ delay }) => delay.air)), 3),
      "digital (ms)": digits(1000 * mean(here.map(({ delay }) => delay.digital)), 3),
      "error / change": digits(mean(here.map(relativeError)), 2),
    };
  });
}

/** The expectation, seed by seed: how much lower the candidate's loss is, and the 95 % t-interval of the mean. */
function compare(settings, trials, population) {
  return rivals.map((rival) => {
    const ours = pick(trials, population, candidate, "air");
    const theirs = ours.map(({ seed }) =>
      trials.find(
        (one) =>
          one.population === population && one.plan === rival && one.link !== "exact" && one.seed === seed,
      ),
    );
    const differences = ours.map((trial, i) => lossOf(trial) - lossOf(theirs[i]));
    const hits = ours.map((trial, i) => 100 * (accuracyOf(trial) - accuracyOf(theirs[i])));
    return {
      population: populationTitles[population],
      plan: candidate,
      against: rival,
      seeds: settings.seeds,
      "perplexity, relative (%)": differences.map((one) => digits(100 * Math.expm1(one), 3)),
      "mean (%)": digits(100 * Math.expm1(mean(differences)), 3),
      ...(differences.length > 1 ? { "95 % interval (%)": interval(differences) } : {}),
      "accuracy, difference (points)": hits.map((one) => digits(one, 3)),
      ...(rival === "local-only"
        ? {}
        : { "payload, ratio": digits(ours[0].payload.entries / theirs[0].payload.entries, 3) }),
      "lower on every seed": differences.every((one) => one < 0),
    };
  });
}

/** The candidate against local tuning for every amount of local text. */
function sweepRows(settings, trials, population) {
  return lengths(settings).map((characters) => {
    const here = trials.filter((one) => one.population === population && one.characters === characters);
    const differences = settings.seeds.map((seed) => {
      const [ours, theirs] = [candidate, "local-only"].map((name) =>
        here.find((one) => one.plan === name && one.link !== "exact" && one.seed === seed),
      );
      return lossOf(ours) - lossOf(theirs);
    });
    return {
      characters,
      "perplexity against local (%)": differences.map((one) => digits(100 * Math.expm1(one), 3)),
      "mean (%)": digits(100 * Math.expm1(mean(differences)), 3),
    };
  });
}

const lengths = ({ characters, sweep }) => [...sweep.characters, characters].sort((a, b) => a - b);

function interval(differences) {
  const { low, high } = meanInterval(differences);
  return [low, high].map((one) => digits(100 * Math.expm1(one), 3));
}

function markdown(names, table, comparisons) {
  const columns = Object.keys(table[0]).slice(1);
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return names
    .map((population) =>
      [
        `## ${populationTitles[population]}`,
        "",
        line(columns),
        line(columns.map(() => "---")),
        ...table
          .filter((row) => row.population === populationTitles[population])
          .map((row) => line(columns.map((c) => row[c]))),
        "",
        ...comparisons
          .filter((row) => row.population === populationTitles[population])
          .map(
            (row) =>
              `- PFTT against ${row.against}: perplexity ${row["mean (%)"]} % (seeds: ${row["perplexity, relative (%)"].join(", ")})`,
          ),
        "",
      ].join("\n"),
    )
    .join("\n");
}

function trialRow(trial) {
  const { population, plan, link, seed, characters, rate, payload, delay, distortion, rows } = trial;
  return {
    population,
    plan,
    link,
    seed,
    characters,
    rate,
    perplexity: digits(perplexityOf(trial)),
    accuracy: digits(accuracyOf(trial)),
    "training loss": digits(rows.at(-1).trainLoss),
    "reals per round": payload.entries,
    symbols: payload.symbols,
    "air time per round (s)": delay.air,
    "digital per round (s)": digits(delay.digital),
    "omega of the design": distortion === undefined ? "" : digits(distortion),
    "error energy / change energy": digits(relativeError(trial), 3),
  };
}

function clientRows({ population, plan, link, seed, before, looks }) {
  return [{ round: 0, scores: before }, ...looks].flatMap(({ round, scores }) =>
    scores.map(({ loss, accuracy }, k) => ({
      population,
      plan,
      link,
      seed,
      round,
      client: populations[population][k].name,
      loss: digits(loss),
      accuracy: digits(accuracy),
    })),
  );
}

function roundRows({ population, plan, link, seed, rows }) {
  return rows.map(({ trainLoss, changeEnergy, errorEnergy, expectedErrorEnergy }, round) => ({
    population,
    plan,
    link,
    seed,
    round,
    trainLoss: digits(trainLoss),
    changeEnergy: optional(changeEnergy),
    errorEnergy: optional(errorEnergy),
    expectedErrorEnergy: optional(expectedErrorEnergy),
  }));
}

function tuningRow(trial) {
  const { population, plan, rate, diverged } = trial;
  return {
    population,
    plan,
    rate,
    diverged: diverged === undefined ? "" : `round ${diverged}`,
    "validation loss": digits(lossOf(trial)),
  };
}

const styleOf = (name) => plans.findIndex((one) => one.name === name);

/** Every client's perplexity, and how much it is above that of local tuning: two panels per population. */
function perClient(settings, trials, names) {
  const panels = names.flatMap((population) => {
    const { air } = settings.populations[population];
    const clients = populations[population];
    const x = categoryAxis(
      `Client: ${populationTitles[population]}`,
      clients.map(({ short, name }) => short ?? name),
    );
    const lossesOf = (plan, k) =>
      trials
        .filter((one) => one.population === population && one.plan === plan && one.link !== "exact")
        .sort((one, other) => one.seed - other.seed)
        .map(({ looks }) => looks.at(-1).scores[k].loss);
    const rows = air.flatMap((plan) =>
      clients.map((_, k) => {
        const losses = lossesOf(plan, k);
        const [low, high] = [Math.exp(Math.min(...losses)), Math.exp(Math.max(...losses))];
        return { series: plan, x: k + 1, y: Math.exp(mean(losses)), low, high };
      }),
    );
    const relative = air
      .filter((plan) => plan !== "vanilla")
      .flatMap((plan) =>
        clients.map((_, k) => {
          const local = lossesOf("local-only", k);
          const differences = lossesOf(plan, k).map((loss, i) => loss - local[i]);
          const percent = (value) => 100 * Math.expm1(value);
          return {
            series: plan,
            x: k + 1,
            y: percent(mean(differences)),
            low: percent(Math.min(...differences)),
            high: percent(Math.max(...differences)),
          };
        }),
      );
    return [
      {
        height: 130,
        x,
        y: logAxis(
          "Test perplexity",
          rows.flatMap(({ low, high }) => [low, high]),
        ),
        rows,
      },
      {
        height: 150,
        x,
        y: linearAxis(
          "Against local (%)",
          relative.flatMap(({ y, low = y, high = y }) => [low, high]),
        ),
        rows: relative,
        level: 0,
      },
    ];
  });
  const shown = new Set(names.flatMap((population) => settings.populations[population].air));
  return {
    description: "Test perplexity of every client by plan",
    x: panels[0].x,
    series: seriesOf(
      plans
        .filter(({ name }) => shown.has(name))
        .map(({ name, label }) => ({ key: name, label, style: styleOf(name) })),
    ),
    panels,
    note:
      `Perplexity per character after ${settings.rounds} rounds at ${settings.snrDb} dB, geometric mean over seeds ` +
      `${settings.seeds.join(", ")}, bars: lowest to highest; below, without ` +
      "vanilla, above that of local tuning on the same seed.",
  };
}

/** Mean over seeds (geometric) with the band from the lowest to the highest. */
function curve(trials, series, xOf) {
  if (trials.length === 0) return [];
  return trials[0].looks.map(({ round }, i) => {
    const values = trials.map(({ looks }) => Math.exp(mean(looks[i].scores.map(({ loss }) => loss))));
    return {
      series,
      x: xOf(round),
      y: Math.exp(mean(values.map(Math.log))),
      low: Math.min(...values),
      high: Math.max(...values),
    };
  });
}

/** A flat line for what sends nothing. */
function flat(trials, series, xs) {
  if (trials.length === 0) return [];
  const values = trials.map(perplexityOf);
  const y = Math.exp(mean(values.map(Math.log)));
  const band = { y, low: Math.min(...values), high: Math.max(...values), marked: false };
  return [Math.min(...xs), Math.max(...xs)].map((x) => ({ series, x, ...band }));
}

function versusBytes(settings, trials, population) {
  const { air } = settings.populations[population];
  const sending = plans.filter(({ name }) => air.includes(name) && name !== "local-only");
  const rows = sending.flatMap(({ name }) => {
    const here = pick(trials, population, name, "air");
    return curve(here, name, (round) => (round * here[0].payload.bytes) / 1000);
  });
  const xs = rows.map(({ x }) => x);
  rows.push(...flat(pick(trials, population, "local-only", "none"), "local-only", xs));
  const last = settings.rounds;
  return {
    description: "Test perplexity against bytes sent by a client",
    x: logAxis("Sent by a client so far, as float32 (kB)", xs, false),
    series: seriesOf([
      ...sending.map(({ name, label }) => ({ key: name, label, style: styleOf(name) })),
      { key: "local-only", label: `local, after round ${last}`, reference: true },
    ]),
    panels: [{ height: 190, y: perplexityAxis(rows), rows }],
    note:
      `${capital(populationTitles[population])}; geometric mean over clients and seeds ${settings.seeds.join(", ")}, bands: lowest to highest ` +
      `seed. Marks: rounds ${settings.evaluate.rounds.join(", ")}.`,
  };
}

function versusDelay(settings, trials, population) {
  const { air, exact } = settings.populations[population];
  const sending = plans.filter(({ name }) => air.includes(name) && name !== "local-only");
  const rows = sending.flatMap(({ name }) => {
    const here = pick(trials, population, name, "air");
    return curve(here, name, (round) => round * mean(here.map(({ delay }) => delay.air)));
  });
  const digital = plans.filter(({ name }) => exact.includes(name));
  for (const { name } of digital) {
    const here = pick(trials, population, name, "exact");
    rows.push(
      ...curve(here, `digital ${name}`, (round) => round * mean(here.map(({ delay }) => delay.digital))),
    );
  }
  const xs = rows.map(({ x }) => x);
  rows.push(...flat(pick(trials, population, "local-only", "none"), "local-only", xs));
  return {
    description: "Test perplexity against the time spent sending, over the air and digital",
    x: logAxis("Time spent sending (s)", xs, false),
    series: seriesOf([
      ...sending.map(({ name, label }) => ({ key: name, label: `air: ${label}`, style: styleOf(name) })),
      ...digital.map(({ name, label }, i) => ({
        key: `digital ${name}`,
        label: `digital: ${label}`,
        style: plans.length + i,
      })),
      { key: "local-only", label: `local, after round ${settings.rounds}`, reference: true },
    ]),
    panels: [{ height: 190, y: perplexityAxis(rows), rows }],
    note:
      `${capital(populationTitles[population])}; geometric mean over clients and seeds ${settings.seeds.join(", ")}, bands: lowest to highest ` +
      `seed. Air: OFDM symbols of ${symbolDuration * 1e6} µs, all clients at once, ${settings.snrDb} dB. Digital: float32 without ` +
      "errors, one client after the other at the capacity of its channel and the same power.",
  };
}

function versusData(settings, trials, population) {
  const shown = plans.filter(({ name }) => settings.sweep.plans.includes(name));
  const rows = shown.flatMap(({ name }) =>
    lengths(settings).map((characters) => {
      const values = trials
        .filter(
          (one) =>
            one.population === population &&
            one.plan === name &&
            one.link !== "exact" &&
            one.characters === characters,
        )
        .map(perplexityOf);
      const y = Math.exp(mean(values.map(Math.log)));
      return { series: name, x: characters, y, low: Math.min(...values), high: Math.max(...values) };
    }),
  );
  return {
    description: "Test perplexity against the amount of local text",
    x: sweepAxis("Training text of a client (characters)", lengths(settings), true),
    series: seriesOf(shown.map(({ name, label }) => ({ key: name, label, style: styleOf(name) }))),
    panels: [{ height: 150, y: perplexityAxis(rows), rows }],
    note:
      `${capital(populationTitles[population])} after ${settings.rounds} rounds; geometric mean over clients and seeds ` +
      `${settings.seeds.join(", ")}, bands: lowest to highest seed. Learning rates are those chosen at ${settings.characters} characters.`,
  };
}

const perplexityAxis = (rows) =>
  logAxis(
    "Test perplexity per character",
    rows.flatMap(({ y, low = y, high = y }) => [low, high]),
  );

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const sum = (values) => values.reduce((a, b) => a + b, 0);
const mean = (values) => sum(values) / values.length;
const digits = (value, count = 5) =>
  Number.isFinite(value) ? Number(value.toPrecision(count)) : String(value);
const optional = (value) => (value === undefined ? "" : digits(value));
