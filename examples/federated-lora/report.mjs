/** Tables and figures of the study. */
import { linearAxis, logAxis, renderChart, seriesOf, sweepAxis, toCsv } from "airfold/figures";
import { radio, referenceRank, schemes, symbolDuration } from "./plan.mjs";

/** Rounds over which the training loss is averaged: a single one is that of a few batches. */
const smoothing = 5;

const taskTitles = { facts: "facts", definitions: "definitions", pronunciation: "pronunciation" };

/** @returns files by name */
export async function report(settings, { pilots, ranks, tuning, trials }) {
  const middle = trials.filter(({ snrDb }) => snrDb === settings.middleSnrDb);
  const table = summaryRows(settings, trials);
  const charts = {
    "perplexity-versus-rounds": versusTime(settings, middle, "perplexity", "rounds"),
    "perplexity-versus-air-time": versusTime(settings, middle, "perplexity", "airTime"),
    "loss-versus-rounds": versusTime(settings, middle, "loss", "rounds"),
    "loss-versus-air-time": versusTime(settings, middle, "loss", "airTime"),
    ...(settings.otherSnrDb.length > 0 ? { "perplexity-versus-snr": versusSnr(settings, trials) } : {}),
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
  for (const [name, chart] of Object.entries(charts)) {
    const { svg, png } = await renderChart(chart);
    files.set(`${name}.svg`, svg).set(`${name}.png`, png);
  }
  return files;
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
const relativeError = ({ rows }) => {
  const sent = rows.filter(({ errorEnergy }) => errorEnergy !== undefined);
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

const seriesOfSchemes = (names) =>
  seriesOf(
    schemes
      .filter(({ name }) => names.includes(name))
      .map(({ name, label }) => ({ key: name, label, ...(name === "ideal" ? { reference: true } : {}) })),
  );

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
          low: Math.min(...values),
          high: Math.max(...values),
          marked: point.marked,
        };
      });
    });
    const shown = time === "rounds" ? rows : rows.filter(({ x }) => x > 0);
    return {
      height: 150,
      y: logAxis(
        quantity === "perplexity"
          ? "Held-out perplexity per character"
          : "Training loss (nats per character)",
        shown.flatMap(({ y, low, high }) => [y, low, high]),
        false,
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
      `rank ${referenceRank}, the same energy per round for all ranks. Mean over ${settings.seeds.length} seeds (channel, batches, ` +
      `noise); band: from the lowest to the highest.${average} An OFDM symbol takes ${symbolDuration * 1e6} µs.`,
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
  const points = [];
  for (let end = Math.min(smoothing, losses.length); end <= losses.length; end += smoothing) {
    const group = losses.slice(Math.max(0, end - smoothing), end);
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
      y: logAxis(
        "Held-out perplexity per character",
        rows.map(({ y }) => y),
        false,
      ),
      rows,
      label: { text: taskTitles[task], corner: "top-right" },
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

const sum = (values) => values.reduce((a, b) => a + b, 0);
const mean = (values) => sum(values) / values.length;
const signed = (value) => String(value).replace("-", "−");
const digits = (value, count = 5) =>
  Number.isFinite(value) ? Number(value.toPrecision(count)) : String(value);
const optional = (value) => (value === undefined || value === null ? "" : digits(value, 7));
