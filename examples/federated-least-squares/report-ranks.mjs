/** Table and figure of the study rank-choice. */
import { logAxis, quantile, renderChart, seriesOf, sweepAxis, toCsv } from "airfold/figures";

const strategies = [
  { key: "picked", label: "airfold", rankOf: ({ picked }) => picked },
  { key: "one", label: "rank 1", rankOf: () => 1 },
  { key: "full", label: "full rank", rankOf: ({ gaps }) => gaps.length },
  { key: "random", label: "random rank", rankOf: ({ random }) => random },
];
/** Within so much of the best rank counts as found. */
const close = 0.05;

/** @returns files by name */
export async function report(plan, trials) {
  const rows = trials.map((trial) => {
    const best = bestRank(trial);
    return {
      seed: trial.seed,
      ...Object.fromEntries(
        ["ratio", "heterogeneity", "samples", "snrDb"].map((key) => [key, digits(trial[key])]),
      ),
      "best rank": best,
      "gap at best": digits(trial.gaps[best - 1]),
      bound: digits(trial.bound),
      ...Object.fromEntries(strategies.map(({ label, rankOf }) => [`${label}: rank`, rankOf(trial)])),
      ...Object.fromEntries(
        strategies.map(({ label, rankOf }) => [`${label}: excess`, digits(excess(trial, rankOf))]),
      ),
      ...Object.fromEntries(trial.gaps.map((gap, i) => [`gap at rank ${i + 1}`, digits(gap)])),
    };
  });
  const chart = await renderChart(chartOf(plan, trials));
  return new Map([
    ["rank-choice.json", `${JSON.stringify(summary(plan, trials), null, 2)}\n`],
    ["rank-choice.csv", toCsv(rows)],
    ["rank-choice.svg", chart.svg],
    ["rank-choice.png", chart.png],
  ]);
}

function bestRank({ gaps }) {
  return 1 + gaps.reduce((best, gap, i) => (gap < gaps[best] ? i : best), 0);
}

/** How much larger the measured gap is than at the best rank, relative. */
function excess(trial, rankOf) {
  return trial.gaps[rankOf(trial) - 1] / trial.gaps[bestRank(trial) - 1] - 1;
}

function summary({ seeds, rounds, averaged, repeats }, trials) {
  return {
    problems: seeds.length,
    seeds: [seeds[0], seeds.at(-1)],
    rounds,
    "rounds averaged": averaged,
    "runs per rank": repeats,
    ...Object.fromEntries(
      strategies.map(({ label, rankOf }) => {
        const found = trials.map((trial) => excess(trial, rankOf));
        return [
          label,
          {
            "within 5 % of the best rank": `${found.filter((value) => value <= close).length} of ${found.length}`,
            "median excess": digits(quantile(found, 0.5)),
            "95th percentile": digits(quantile(found, 0.95)),
            largest: digits(Math.max(...found)),
          },
        ];
      }),
    ),
    "picked rank minus best rank": histogram(trials.map((trial) => trial.picked - bestRank(trial))),
    "bound / measured gap at the picked rank, median": digits(
      quantile(
        trials.map(({ bound, gaps, picked }) => bound / gaps[picked - 1]),
        0.5,
      ),
    ),
  };
}

function histogram(values) {
  const counts = new Map();
  for (const value of values.sort((a, b) => a - b)) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Object.fromEntries([...counts].map(([value, count]) => [`${value > 0 ? "+" : ""}${value}`, count]));
}

/** Problems in classes of SNR: median, and a band that holds 80 %. */
function chartOf({ seeds, rounds, averaged, repeats }, trials) {
  const edges = [-10, -5, 0, 5, 10, 15, 20];
  const classes = edges
    .slice(0, -1)
    .map((low, i) => ({ low, high: edges[i + 1] }))
    .map(({ low, high }) => ({
      x: (low + high) / 2,
      trials: trials.filter(({ snrDb }) => snrDb >= low && (snrDb < high || (high === 20 && snrDb <= high))),
    }))
    .filter((group) => group.trials.length > 0);
  const rows = strategies.flatMap(({ key, rankOf }) =>
    classes.map(({ x, trials: group }) => {
      const ratios = group.map((trial) => 1 + excess(trial, rankOf));
      return {
        series: key,
        x,
        y: quantile(ratios, 0.5),
        low: quantile(ratios, 0.1),
        high: quantile(ratios, 0.9),
      };
    }),
  );
  return {
    description: "Measured gap at the rank that a strategy picks, against the best rank",
    x: sweepAxis("SNR of one OFDM symbol at rank 8 (dB)", edges, false, 0),
    series: seriesOf(strategies),
    panels: [
      {
        height: 240,
        y: logAxis("Measured gap / gap at the best rank", [
          1,
          ...rows.flatMap(({ low, high }) => [low, high]),
        ]),
        rows,
        level: 1,
      },
    ],
    note:
      `${seeds.length} random federated least-squares problems; gap over the air, mean of the last ${averaged} of ${rounds} rounds and of ` +
      `${repeats} ${repeats === 1 ? "run" : "runs"} per rank; the best rank is found by training at all 24. Classes of 5 dB: median, and a ` +
      "band that holds 80 % of the problems.",
  };
}

const digits = (value) => (Number.isFinite(value) ? Number(value.toPrecision(5)) : String(value));
