/** Tables and figures of the study bound-check. */
import { logAxis, quantile, renderChart, seriesOf, sweepAxis, toCsv } from "airfold/figures";

const bounds = ["measured", "quadratic", "cap"];
/** Both sides of t = 0 are the same loss, added up in another order. */
const rounding = 1e-12;

/** @returns files by name */
export async function report(plan, trials) {
  const last = plan.rounds;
  const byPoint = pointsOf(plan, trials);
  const trialRows = trials.flatMap(({ seed, curves }) =>
    curves.map((curve) => ({
      seed,
      snrDb: curve.snrDb,
      rank: curve.rank,
      gap: digits(curve.gap[last]),
      ...Object.fromEntries(bounds.map((bound) => [bound, digits(curve[bound][last])])),
      ...Object.fromEntries(
        bounds.map((bound) => [`largest gap / ${bound}`, digits(largestRatio(curve, bound))]),
      ),
    })),
  );
  const roundRows = byPoint.flatMap(({ snrDb, rank, curves }) =>
    Array.from({ length: last + 1 }, (_, round) => ({
      snrDb,
      rank,
      round,
      "mean gap": digits(mean(curves.map(({ gap }) => gap[round]))),
      ...Object.fromEntries(
        bounds.map((bound) => [`mean ${bound}`, digits(mean(curves.map((curve) => curve[bound][round])))]),
      ),
      ...Object.fromEntries(
        bounds.map((bound) => [
          `trials above ${bound}`,
          curves.filter((curve) => curve.gap[round] > curve[bound][round] * (1 + rounding)).length,
        ]),
      ),
    })),
  );
  const rankChart = await renderChart(versusRank(plan, byPoint));
  const roundChart = await renderChart(versusRounds(plan, byPoint));
  return new Map([
    ["bound-check.json", `${JSON.stringify(summary(plan, trials, roundRows), null, 2)}\n`],
    ["bound-check-trials.csv", toCsv(trialRows)],
    ["bound-check-rounds.csv", toCsv(roundRows)],
    ["gap-versus-rank.svg", rankChart.svg],
    ["gap-versus-rank.png", rankChart.png],
    ["gap-versus-rounds.svg", roundChart.svg],
    ["gap-versus-rounds.png", roundChart.png],
  ]);
}

function pointsOf({ snrDb, ranks }, trials) {
  return snrDb.flatMap((snr) =>
    ranks.map((rank) => ({
      snrDb: snr,
      rank,
      curves: trials.map(({ curves }) => curves.find((curve) => curve.snrDb === snr && curve.rank === rank)),
    })),
  );
}

function summary({ seeds, snrDb, ranks, rounds }, trials, roundRows) {
  const curves = trials.flatMap((trial) => trial.curves);
  const ofBound = (bound) => {
    const ratios = curves.flatMap((curve) => curve.gap.map((gap, t) => gap / curve[bound][t]));
    const ofMeans = roundRows.map((row) => row["mean gap"] / Number(row[`mean ${bound}`]));
    const finite = curves.filter((curve) => Number.isFinite(curve[bound][rounds])).length;
    return {
      "points (rank, SNR, round)": ofMeans.length,
      "points whose mean gap is above the mean bound": ofMeans.filter((ratio) => ratio > 1 + rounding).length,
      "largest mean gap / mean bound, rounds >= 1": digits(
        max(
          roundRows
            .filter(({ round }) => round > 0)
            .map((row) => row["mean gap"] / Number(row[`mean ${bound}`])),
        ),
      ),
      "single trials at single points": ratios.length,
      "of these above the bound": ratios.filter((ratio) => ratio > 1 + rounding).length,
      "largest gap / bound of a single trial, rounds >= 1": digits(
        max(curves.map((curve) => largestRatio(curve, bound))),
      ),
      "finite bounds after the last round": `${finite} of ${curves.length}`,
    };
  };
  const bestRanks = snrDb.map((snr) => {
    const best = (column) => {
      const rows = roundRows.filter((row) => row.snrDb === snr && row.round === rounds);
      return rows.reduce((a, b) => (Number(b[column]) < Number(a[column]) ? b : a)).rank;
    };
    return {
      snrDb: snr,
      gap: best("mean gap"),
      ...Object.fromEntries(bounds.map((b) => [b, best(`mean ${b}`)])),
    };
  });
  return {
    trials: seeds.length,
    seeds: [seeds[0], seeds.at(-1)],
    snrDb,
    ranks: [ranks[0], ranks.at(-1)],
    rounds,
    "error energy: happened / expected, mean over trials": digits(
      mean(curves.map(({ errorRatio }) => errorRatio)),
    ),
    ...Object.fromEntries(bounds.map((bound) => [bound, ofBound(bound)])),
    "rank with the smallest mean": bestRanks,
  };
}

const series = seriesOf([
  { key: "gap", label: "measured gap" },
  { key: "measured", label: "PL form, measured R" },
  { key: "quadratic", label: "quadratic form" },
  { key: "cap", label: "PL form, cap" },
]);

/** Mean over the trials; the band holds 90 % of them. */
function pointRow(key, x, values, marked = true) {
  const shown = key === "gap" ? { low: quantile(values, 0.05), high: quantile(values, 0.95) } : {};
  return { series: key, x, y: mean(values), marked, ...shown };
}

function versusRank({ snrDb, ranks, rounds, seeds }, points) {
  const panels = snrDb.map((snr) => {
    const here = points.filter((point) => point.snrDb === snr);
    const rows = ["gap", ...bounds].flatMap((key) =>
      here
        .map(({ rank, curves }) =>
          pointRow(
            key,
            rank,
            curves.map((curve) => curve[key][rounds]),
          ),
        )
        .filter(({ y }) => Number.isFinite(y)),
    );
    return {
      height: 120,
      y: logAxis("Optimality gap", reach(rows)),
      rows,
      rings: ["gap", ...bounds].flatMap((key) => lowest(rows.filter((row) => row.series === key))),
      label: { text: `SNR ${signed(snr)} dB`, corner: "top-right" },
    };
  });
  return {
    description: "Measured optimality gap and its bounds against the LoRA rank",
    x: sweepAxis("LoRA rank r", ticksOf(ranks), false),
    series,
    ringLabel: "lowest",
    panels,
    note:
      `Federated least squares after ${rounds} rounds, symbol by symbol over the air; mean over ${seeds.length} trials (data, ` +
      "channel and noise by seed), band: 90 % of the trials. SNR: of one OFDM symbol at rank 8; all ranks have the same energy " +
      "per round. Where a curve ends, the bound of some trial is infinite. Gap in the unit of the loss, F(W₀) − F* ≈ 1.15.",
  };
}

function versusRounds({ snrDb, ranks, rounds, seeds }, points) {
  const panels = snrDb.map((snr) => {
    const here = points.filter((point) => point.snrDb === snr);
    const atEnd = (point) => mean(point.curves.map(({ gap }) => gap[rounds]));
    const best = here.reduce((a, b) => (atEnd(b) < atEnd(a) ? b : a));
    const rows = ["gap", ...bounds].flatMap((key) =>
      Array.from({ length: rounds + 1 }, (_, t) =>
        pointRow(
          key,
          t,
          best.curves.map((curve) => curve[key][t]),
          t % 5 === 0,
        ),
      ).filter(({ y }) => Number.isFinite(y)),
    );
    return {
      height: 120,
      y: logAxis("Optimality gap", reach(rows)),
      rows,
      label: {
        text: `SNR ${signed(snr)} dB, rank ${best.rank} of ${Math.max(...ranks)}`,
        corner: "top-right",
      },
    };
  });
  return {
    description: "Measured optimality gap and its bounds against the training rounds",
    x: sweepAxis(
      "Training round t",
      [0, 0.25, 0.5, 0.75, 1].map((part) => part * rounds).filter(Number.isInteger),
      false,
    ),
    series,
    panels,
    note:
      "As the figure against the rank, at the rank with the smallest measured gap after the last round. " +
      `Mean over ${seeds.length} trials, band: 90 % of them.`,
  };
}

function largestRatio(curve, bound) {
  // before the first round both are the loss at the start
  return max(curve.gap.slice(1).map((gap, t) => gap / curve[bound][t + 1]));
}

const lowest = (rows) => (rows.length === 0 ? [] : [rows.reduce((a, b) => (b.y < a.y ? b : a))]);
const reach = (rows) => rows.flatMap(({ y, low, high }) => [y, low ?? y, high ?? y]);
const ticksOf = (ranks) => [...new Set([1, ...ranks.filter((rank) => rank % 4 === 0)])];
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const max = (values) => values.reduce((a, b) => Math.max(a, b), 0);
const signed = (value) => String(value).replace("-", "−");
const digits = (value) => (Number.isFinite(value) ? Number(value.toPrecision(5)) : String(value));
