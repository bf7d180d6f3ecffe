/** Tables and figures of the study. */
import { linearAxis, logAxis, seriesOf, sweepAxis, toCsv } from "airfold/figures";
import { addCharts } from "../shared/charts.mjs";
import { radio, referenceRank, schemes, sweep, symbolDuration } from "./plan.mjs";

/** Rounds over which the training loss is averaged: a single one is that of a few batches. */
const smoothing = 5;

/** Schemes whose range over the seeds is drawn. */
const banded = ["ideal", "airfold"];

const taskTitles = { facts: "facts", definitions: "definitions", pronunciation: "pronunciation" };

/** @returns files by name */
export async function report(settings, { pilots, ranks, tuning, trials }) {
  const middle = trials.filter(
    ({ snrDb, scheme }) => snrDb === settings.middleSnrDb && scheme !== sweep.name,
  );
  const table = summaryRows(settings, trials);
  const charts = {
    "perplexity-above-ideal": aboveIdeal(settings, middle),
    "perplexity-versus-rounds": versusTime(settings, middle, "perplexity", "rounds"),
    "perplexity-versus-air-time": versusTime(settings, middle, "perplexity", "airTime"),
    "loss-versus-rounds": versusTime(settings, middle, "loss", "rounds"),
    "loss-versus-air-time": versusTime(settings, middle, "loss", "airTime"),
    ...(settings.otherSnrDb.length > 0 ? { "perplexity-versus-snr": versusSnr(settings, trials) } : {}),
    ...(settings.sweep.ranks.length > 0
      ? { "perplexity-versus-rank": versusRank(settings, trials, ranks) }
      : {}),
  };
  const files = new Map([
    [
      "summary.json",
      `${JSON.stringify(summaryOf(settings, { pilots, ranks, tuning, trials, table }), null, 2)}\n`,
    ],
    ["table.json", `${JSON.stringify(table, null, 2)}\n`],
    ["summary.md", markdown(settings, table)],
    ["trials.csv", toCsv(trials.map(trialRow))],
    ["rounds.csv", toCsv(trials.flatMap(roundRows))],
    ["tuning.csv", toCsv(tuning.map(tuningRow))],
  ]);
  return addCharts(files, charts);
}

/** exp of the held-out loss at the end; a training that diverged has none. */
const finalPerplexity = ({ rows, diverged }) =>
  diverged === undefined
    ? Math.exp(rows.at(-1).heldOut ?? Number.POSITIVE_INFINITY)
    : Number.POSITIVE_INFINITY;

/** Mean training loss of the last rounds; infinite if the training diverged. */
export const finalLoss = ({ rows, diverged }) =>
  diverged === undefined
    ? mean(rows.slice(-1 - smoothing, -1).map(({ trainLoss }) => trainLoss))
    : Number.POSITIVE_INFINITY;

/** Error energy of all aggregates over the energy of the mean gradients. */
const relativeError = ({ scheme, rows }) => {
  const sent = rows.filter(({ errorEnergy }) => errorEnergy !== undefined);
  if (scheme.startsWith("ideal")) return 0;
  return (
    sum(sent.map(({ errorEnergy }) => errorEnergy)) / sum(sent.map(({ gradientEnergy }) => gradientEnergy))
  );
};

function summaryRows(settings, trials) {
  const rows = [];
  for (const task of settings.tasks) {
    for (const snrDb of [settings.middleSnrDb, ...settings.otherSnrDb]) {
      for (const { name, label } of schemes) {
        const here = trials.filter((t) => t.task === task && t.snrDb === snrDb && t.scheme === name);
        if (here.length === 0) continue;
        const perplexities = here.map(finalPerplexity);
        const partners = (other) =>
          here.flatMap((trial) => {
            const partner = trials.find(
              (t) =>
                t.task === task &&
                t.seed === trial.seed &&
                t.scheme === other &&
                // the ideal sum does not depend on the SNR
                (t.snrDb === snrDb || other === "ideal"),
            );
            return partner === undefined ? [] : [finalPerplexity(trial) / finalPerplexity(partner) - 1];
          });
        rows.push({
          task,
          "SNR (dB)": snrDb,
          scheme: label,
          rank: [...new Set(here.map(({ rank }) => rank))].sort((a, b) => a - b).join(", "),
          "step (1/L)": [...new Set(here.map(({ multiple }) => multiple))].join(", "),
          seeds: here.length,
          "training loss (nats)": digits(mean(here.map(finalLoss))),
          perplexity: digits(mean(perplexities)),
          "perplexity, lowest": digits(Math.min(...perplexities)),
          "perplexity, highest": digits(Math.max(...perplexities)),
          "above ideal (%)": digits(100 * mean(partners("ideal")), 3),
          "above airfold (%)": digits(100 * mean(partners("airfold")), 3),
          "seeds better than airfold": partners("airfold").filter((excess) => excess < 0).length,
          "error energy / gradient energy": digits(mean(here.map(relativeError)), 3),
          "air time (s)": digits(mean(here.map(({ rows: r }) => r.at(-1).airTime)), 3),
        });
      }
    }
  }
  return rows;
}

function summaryOf(settings, { pilots, ranks, tuning, trials, table }) {
  return {
    settings,
    radio,
    diverged: [...tuning, ...trials].filter(({ diverged }) => diverged !== undefined).map(({ id }) => id),
    "perplexity of the base": Object.fromEntries(
      settings.tasks.map((task) => [
        task,
        digits(Math.exp(trials.find((trial) => trial.task === task).rows[0].heldOut)),
      ]),
    ),
    expectations: settings.tasks.map((task) => expectations(settings, table, task)),
    "predicted error energy / happened, all rounds of all trials": digits(
      sum(sentRows(trials).map((row) => row.expectedErrorEnergy)) /
        sum(sentRows(trials).map((row) => row.errorEnergy)),
    ),
    ranks: ranks.map(({ task, snrDb, seed, tuning: isTuning, rank, gap, byRank }) => ({
      task,
      snrDb,
      seed,
      ...(isTuning ? { tuning: true } : {}),
      rank,
      gap,
      byRank,
    })),
    pilots: Object.fromEntries(
      Object.entries(pilots).map(([task, list]) => [
        task,
        list.map(({ spectra, id, ...pilot }) => ({
          ...pilot,
          "energy of the update by singular value": spectrumShares(spectra),
        })),
      ]),
    ),
  };
}

const sentRows = (trials) =>
  trials
    .filter(({ scheme }) => !scheme.startsWith("ideal"))
    .flatMap(({ rows }) => rows.filter(({ errorEnergy }) => errorEnergy !== undefined));

/** Share of the energy in the i-th singular values of all targets. */
function spectrumShares(spectra) {
  const energies = Array.from({ length: spectra[0].length }, (_, i) =>
    sum(spectra.map((values) => values[i] ** 2)),
  );
  const total = sum(energies);
  return energies.map((energy) => digits(energy / total, 3));
}

/** What was expected of the middle SNR before the first run. */
function expectations(settings, table, task) {
  const rows = table.filter((row) => row.task === task && row["SNR (dB)"] === settings.middleSnrDb);
  const ours = rows.find(({ scheme }) => scheme === "airfold");
  const baselines = rows.filter(({ scheme }) => scheme !== "airfold" && !scheme.startsWith("ideal"));
  return {
    task,
    "airfold above ideal (%)": ours["above ideal (%)"],
    "within 2 % of ideal": ours["above ideal (%)"] <= 2,
    "baselines with a lower mean perplexity": baselines
      .filter(({ perplexity }) => perplexity < ours.perplexity)
      .map(({ scheme, "above airfold (%)": excess }) => ({ scheme, "above airfold (%)": excess })),
  };
}

function markdown(settings, table) {
  const columns = Object.keys(table[0]);
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return settings.tasks
    .map((task) =>
      [
        `## ${task}`,
        "",
        line(columns.slice(1)),
        line(columns.slice(1).map(() => "---")),
        ...table.filter((row) => row.task === task).map((row) => line(columns.slice(1).map((c) => row[c]))),
        "",
      ].join("\n"),
    )
    .join("\n");
}

function trialRow(trial) {
  const { task, scheme, snrDb, seed, rank, multiple, step, design, rows } = trial;
  return {
    task,
    scheme,
    snrDb,
    seed,
    rank,
    "step (1/L)": multiple,
    step: digits(step),
    "design converged": design.converged,
    "omega of the design": digits(design.distortion),
    "training loss": digits(finalLoss(trial)),
    perplexity: digits(finalPerplexity(trial)),
    "error energy / gradient energy": digits(relativeError(trial)),
    "air time (s)": digits(rows.at(-1).airTime),
  };
}

function roundRows({ task, scheme, snrDb, seed, rank, rows }) {
  return rows.map((row) => ({
    task,
    scheme,
    snrDb,
    seed,
    rank,
    round: row.round,
    airTime: digits(row.airTime),
    trainLoss: optional(row.trainLoss),
    heldOut: optional(row.heldOut),
    gradientEnergy: optional(row.gradientEnergy),
    errorEnergy: optional(row.errorEnergy),
    expectedErrorEnergy: optional(row.expectedErrorEnergy),
    "omega, R = I": optional(row.distortion?.design),
    "omega, measured R": optional(row.distortion?.measured),
    "omega, cap": optional(row.distortion?.cap),
  }));
}

function tuningRow({ task, scheme, rank, multiple, step, diverged, rows }) {
  return {
    task,
    scheme,
    rank,
    "step (1/L)": multiple,
    step: digits(step),
    diverged: diverged === undefined ? "" : `round ${diverged}`,
    "training loss of the last rounds": digits(finalLoss({ rows, diverged })),
  };
}

const looks = [
  "airfold",
  "ideal-picked",
  "largest",
  "smallest",
  "centroid",
  "random",
  "digital",
  "both",
  "alternating",
];

const seriesOfSchemes = (names) =>
  seriesOf(
    schemes
      .filter(({ name }) => names.includes(name))
      // the same look in all figures
      .map(({ name, label }) => ({
        key: name,
        label,
        ...(name === "ideal" ? { reference: true } : { style: looks.indexOf(name) }),
      })),
  );

/** Every seed of every scheme: how much its perplexity is above that of exact sums at the largest rank. */
function aboveIdeal(settings, trials) {
  const names = schemes
    .map(({ name }) => name)
    .filter((name) => name !== "ideal" && settings.schemes.includes(name));
  const height = (name) => names.length - names.indexOf(name);
  const labels = new Map(
    names.map((name) => [height(name), schemes.find((scheme) => scheme.name === name).label]),
  );
  const panels = settings.tasks.map((task) => {
    const here = trials.filter((trial) => trial.task === task);
    const ideal = (seed) => here.find((trial) => trial.scheme === "ideal" && trial.seed === seed);
    const rows = here
      .filter(({ scheme }) => scheme !== "ideal")
      .map((trial) => ({
        series: trial.scheme,
        x: 100 * (finalPerplexity(trial) / finalPerplexity(ideal(trial.seed)) - 1),
        y: height(trial.scheme),
      }))
      .filter(({ x }) => Number.isFinite(x));
    return {
      height: 18 * names.length,
      y: {
        title: "",
        log: false,
        domain: [0.4, names.length + 0.6],
        ticks: [...labels.keys()].sort((a, b) => a - b),
        labels,
      },
      rows,
      label: { text: taskTitles[task], corner: "bottom-right" },
    };
  });
  return {
    description: "Held-out perplexity above that of exact sums, every seed",
    x: linearAxis("Perplexity above exact sums at the largest rank (%)", [
      0,
      ...panels.flatMap(({ rows }) => rows.map(({ x }) => x)),
    ]),
    series: seriesOfSchemes(names),
    panels,
    note: `After ${settings.rounds} rounds at ${signed(settings.middleSnrDb)} dB; a mark per seed (${settings.seeds.join(", ")}), joined by a line.`,
  };
}

/** Mean over the seeds with the band from the lowest to the highest. */
function versusTime(settings, trials, quantity, time) {
  const names = settings.schemes;
  const panels = settings.tasks.map((task) => {
    const rows = names.flatMap((scheme) => {
      const here = trials.filter((t) => t.task === task && t.scheme === scheme && t.diverged === undefined);
      if (here.length === 0) return [];
      return pointsOf(here[0], quantity).map((point) => {
        const values = here.map(
          (trial) => pointsOf(trial, quantity).find(({ round }) => round === point.round).value,
        );
        return {
          series: scheme,
          x: time === "rounds" ? point.round : point.airTime,
          y: mean(values),
          // ten bands would hide each other
          ...(banded.includes(scheme) ? { low: Math.min(...values), high: Math.max(...values) } : {}),
          marked: point.marked,
        };
      });
    });
    const shown = time === "rounds" ? rows : rows.filter(({ x }) => x > 0);
    return {
      height: 150,
      y: linearAxis(
        quantity === "perplexity"
          ? "Held-out perplexity per character"
          : "Training loss (nats per character)",
        shown.flatMap(({ y, low = y, high = y }) => [y, low, high]),
      ),
      rows: shown,
      label: { text: taskTitles[task], corner: time === "rounds" ? "top-right" : "top-right" },
    };
  });
  const xs = panels.flatMap(({ rows }) => rows.map(({ x }) => x));
  const average = quantity === "loss" ? ` Mean of ${smoothing} rounds.` : "";
  return {
    description: `${quantity} against ${time} of federated LoRA over the air`,
    x: time === "rounds" ? linearAxis("Training round t", xs) : logAxis("Air time (s)", xs, false),
    series: seriesOfSchemes(names),
    panels,
    note:
      `Federated LoRA of a small transformer, ${radio.devices} devices, SNR ${signed(settings.middleSnrDb)} dB for one OFDM symbol at ` +
      `rank ${referenceRank}, the same energy per round for all ranks. Mean over seeds ${settings.seeds.join(", ")} (channel, batches, ` +
      `noise); bands: lowest to highest.${average} An OFDM symbol takes ${symbolDuration * 1e6} µs; ideal is drawn at the air time ` +
      "of its rank.",
  };
}

function pointsOf({ rows }, quantity) {
  if (quantity === "perplexity") {
    return rows
      .filter(({ heldOut }) => heldOut !== undefined)
      .map(({ round, airTime, heldOut }) => ({
        round,
        airTime,
        value: Math.exp(heldOut),
        marked: round % 10 === 0,
      }));
  }
  const losses = rows.filter(({ trainLoss }) => trainLoss !== undefined);
  const width = Math.min(smoothing, Math.ceil(losses.length / 4));
  const points = [];
  for (let end = width; end <= losses.length; end += width) {
    const group = losses.slice(end - width, end);
    const { round, airTime } = group.at(-1);
    points.push({
      round: round + 1,
      // the losses of a round are those before its step
      airTime: airTime + (rows[1].airTime - rows[0].airTime),
      value: mean(group.map(({ trainLoss }) => trainLoss)),
      marked: true,
    });
  }
  return points;
}

function versusSnr(settings, trials) {
  const names = [...new Set(["ideal", ...settings.otherSchemes])];
  const snrs = [settings.middleSnrDb, ...settings.otherSnrDb].sort((a, b) => a - b);
  const panels = settings.tasks.map((task) => {
    const rows = names.flatMap((scheme) =>
      snrs.flatMap((snrDb) => {
        const here = trials.filter(
          (t) =>
            t.task === task &&
            t.scheme === scheme &&
            settings.otherSeeds.includes(t.seed) &&
            (t.snrDb === snrDb || (scheme === "ideal" && t.snrDb === settings.middleSnrDb)),
        );
        const values = here.map(finalPerplexity).filter(Number.isFinite);
        return values.length === 0 ? [] : [{ series: scheme, x: snrDb, y: mean(values) }];
      }),
    );
    return {
      height: 150,
      y: linearAxis(
        "Held-out perplexity per character",
        rows.map(({ y }) => y),
      ),
      rows,
      label: { text: taskTitles[task], corner: "bottom-left" },
    };
  });
  return {
    description: "Held-out perplexity after the last round against the SNR",
    x: sweepAxis(`SNR of one OFDM symbol at rank ${referenceRank} (dB)`, snrs, false),
    series: seriesOfSchemes(names),
    panels,
    note:
      `After ${settings.rounds} rounds; seed ${settings.otherSeeds.join(", ")} at every SNR. Steps are those chosen at ` +
      `${signed(settings.middleSnrDb)} dB. Where a mark is missing, the training diverged.`,
  };
}

/** Manifold beamformers and exact sums at the ranks that were trained, on the seeds of the sweep. */
function versusRank(settings, trials, ranks) {
  const { seeds } = settings.sweep;
  const here = trials.filter(
    ({ snrDb, seed, diverged }) =>
      snrDb === settings.middleSnrDb && seeds.includes(seed) && diverged === undefined,
  );
  const kinds = {
    manifold: ["airfold", "smallest", "largest", sweep.name],
    ideal: ["ideal", "ideal-picked"],
  };
  const panels = settings.tasks.map((task) => {
    const rows = Object.entries(kinds).flatMap(([series, names]) => {
      const found = here.filter((trial) => trial.task === task && names.includes(trial.scheme));
      const at = [...new Set(found.map(({ rank }) => rank))].sort((a, b) => a - b);
      return at.map((rank) => ({
        series,
        x: rank,
        y: mean(found.filter((trial) => trial.rank === rank).map(finalPerplexity)),
      }));
    });
    const picked = ranks.filter(
      (one) => one.task === task && one.snrDb === settings.middleSnrDb && seeds.includes(one.seed),
    );
    return {
      height: 150,
      y: linearAxis(
        "Held-out perplexity per character",
        rows.map(({ y }) => y),
      ),
      rows,
      rings: rows.filter(({ series, x }) => series === "manifold" && picked.some(({ rank }) => rank === x)),
      label: { text: taskTitles[task], corner: "top-right" },
    };
  });
  return {
    description: "Held-out perplexity after the last round against the LoRA rank",
    x: sweepAxis("LoRA rank r", [1, ...settings.sweep.ranks, settings.largestRank], true),
    series: seriesOf([
      { key: "manifold", label: `over the air, ${signed(settings.middleSnrDb)} dB` },
      { key: "ideal", label: "exact sums", reference: true },
    ]),
    ringLabel: "picked by airfold",
    panels,
    note:
      `After ${settings.rounds} rounds, seed ${seeds.join(", ")}; manifold beamformers, the same energy per round for all ranks. Each of rank ` +
      `1, ${settings.largestRank} and the picked one has its own step, the others that of the picked one, in units of 1/L.`,
  };
}

const sum = (values) => values.reduce((a, b) => a + b, 0);
const mean = (values) => sum(values) / values.length;
const signed = (value) => String(value).replace("-", "−");
const digits = (value, count = 5) =>
  Number.isFinite(value) ? Number(value.toPrecision(count)) : String(value);
const optional = (value) => (value === undefined || value === null ? "" : digits(value, 7));
