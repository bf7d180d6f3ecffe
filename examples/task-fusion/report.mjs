/** Tables and figures of the study. Accuracies are normalised to the single-task model of the task, if nothing else is said. */
import { categoryAxis, linearAxis, logAxis, seriesOf, sweepAxis, toCsv } from "airfold/figures";
import { addCharts } from "../shared/charts.mjs";
import { taskSets } from "./data.mjs";
import { arms, radio } from "./plan.mjs";

const kindLabels = {
  none: "no noise",
  thermal: "thermal noise only",
  white: "white noise",
  "sum-rate": "worst-case noise",
  "strongest-user": "worst for the strongest user",
  mse: "worst for the MSE",
};

/** Normalised accuracies have an axis up to here: the name of a panel stands above all curves. */
const labelRoom = 1.1;

const controls = ["base", "base realigned", "base realigned, frozen", "single, frozen"];

/**
 * @param models, conditions results of the jobs
 * @returns files by name
 */
export async function report(settings, models, conditions) {
  const single = new Map(models.map((model) => [model.seed, model.single]));
  const normalised = (seed, accuracy) => mean(accuracy.map((value, t) => value / single.get(seed)[t]));
  const study = { settings, models, conditions, single, normalised };
  const table = tableOf(study);
  const files = new Map([
    ["summary.json", `${JSON.stringify(summaryOf(study, table), null, 1)}\n`],
    ["summary.md", markdown(table)],
    ["trials.csv", toCsv(trialRows(study))],
    [
      "radio.csv",
      toCsv(conditions.filter((one) => one.radio !== undefined && one.symbols === "unbiased").map(radioRow)),
    ],
    [
      "disentanglement.csv",
      toCsv(conditions.filter((one) => one.disentanglement !== undefined).map(disentanglementRow)),
    ],
  ]);
  const charts = {
    "task-fusion-tasks": perTask(study),
    "task-fusion-power": versusPower(study),
    "task-fusion-disentanglement": disentanglementChart(study),
    "task-fusion-rate": rateChart(study),
  };
  return addCharts(files, charts);
}

const accuracyOf = (model, name) => (Array.isArray(model[name]) ? model[name] : model[name].accuracy);

/** Normalised accuracies of an arm, one per seed. */
function values({ conditions, normalised }, arm, noise, jammerDb, symbols = "unbiased") {
  return conditions
    .filter((one) => one.noise === noise && one.jammerDb === jammerDb && one.symbols === symbols)
    .map((one) => normalised(one.seed, one.arms[arm].accuracy));
}

const controlValues = ({ models, normalised }, name) =>
  models.map((model) => normalised(model.seed, accuracyOf(model, name)));

/** One row per reception: what every arm keeps, mean over the seeds (lowest to highest). */
function tableOf(study) {
  const keys = new Map(
    study.conditions.map(({ noise, jammerDb, symbols }) => [
      JSON.stringify([noise, jammerDb ?? null, symbols]),
      { noise, jammerDb, symbols },
    ]),
  );
  const received = [...keys.values()].map(({ noise, jammerDb, symbols }) => {
    const here = study.conditions.filter(
      (one) => one.noise === noise && one.jammerDb === jammerDb && one.symbols === symbols,
    );
    const mses = here.flatMap((one) => one.radio?.[symbols] ?? [0]);
    return {
      noise: kindLabels[noise],
      "jammer (dB)": jammerDb ?? "",
      symbols: symbols === "mse" ? "variance MSE" : "unshrunk",
      "relative MSE": digits(mean(mses), 3),
      ...Object.fromEntries(
        arms.map(({ name, label }) => [label, range(values(study, name, noise, jammerDb, symbols))]),
      ),
    };
  });
  const baselines = Object.fromEntries(controls.map((name) => [name, range(controlValues(study, name))]));
  const raw = Object.fromEntries(
    ["single", ...controls].map((name) => [
      name,
      range(study.models.map((model) => mean(accuracyOf(model, name)))),
    ]),
  );
  return { received, baselines, raw };
}

function summaryOf(study, table) {
  const { settings, models, conditions } = study;
  return {
    settings,
    radio,
    tasks: taskSets[settings.tasks].map(({ name }) => name),
    expectations: expectations(study),
    "normalised accuracy": table.received,
    "normalised accuracy of the controls": table.baselines,
    "accuracy of the controls": table.raw,
    "predicted / measured disentanglement error, by mean relative MSE": predictionRows(study),
    "largest duality gap (nats, or error)": Math.max(...conditions.map((one) => one.radio?.dualityGap ?? 0)),
    models: models.map(({ seed, coefficients, norms, hash }) => ({
      seed,
      coefficients,
      "mean norm of the task vectors": digits(mean(norms.whole), 4),
      "mean norm, frozen": digits(mean(norms.frozen), 4),
      hash,
    })),
  };
}

/** What was written down before the run (README.md), seed by seed. */
function expectations(study) {
  const { middleDb } = study.settings;
  const worst = (arm) => values(study, arm, "sum-rate", middleDb);
  const clean = values(study, "unprotected", "none");
  const base = controlValues(study, "base");
  const control = controlValues(study, "base realigned, frozen");
  const kept = worst("unprotected").map((value, s) => (value - base[s]) / (clean[s] - base[s]));
  const recovered = worst("protected").map(
    (value, s) => (value - worst("unprotected")[s]) / (clean[s] - worst("unprotected")[s]),
  );
  const lead = worst("protected").map((value, s) => value - control[s]);
  const cleanProtected = values(study, "protected", "none");
  return {
    "without noise, unprotected": statement(clean, (value) => value >= 0.9, ">= 0.9"),
    "without noise, protected": statement(cleanProtected, (value) => value >= 0.9, ">= 0.9"),
    [`worst case, ${middleDb} dB: unprotected keeps of what fusion gained`]: statement(
      kept,
      (value) => value <= 0.5,
      "<= 0.5",
    ),
    [`worst case, ${middleDb} dB: protected recovers of what noise took`]: statement(
      recovered,
      (value) => value >= 0.5,
      ">= 0.5",
    ),
    [`worst case, ${middleDb} dB: protected above the base realigned with the same samples`]: statement(
      lead,
      (value) => value > 0,
      "> 0",
    ),
  };
}

const statement = (list, holds, expected) => ({
  mean: digits(mean(list), 3),
  bySeed: list.map((value) => digits(value, 3)),
  expected,
  holds: list.every(holds) ? "on all seeds" : list.some(holds) ? "on some seeds" : "on no seed",
});

const measured = ({ conditions }, noise) =>
  conditions.filter((one) => one.noise === noise && one.disentanglement !== undefined);

function predictionRows(study) {
  return ["thermal", "white", "sum-rate"].flatMap((noise) => {
    const all = measured(study, noise);
    return [...new Set(all.map(({ jammerDb }) => jammerDb))].map((jammerDb) => {
      const here = all.filter((one) => one.jammerDb === jammerDb).map((one) => one.disentanglement);
      const growth = (of) => mean(here.map(of));
      const total = growth(({ squared, noiseless }) => squared - noiseless);
      return {
        noise: kindLabels[noise],
        ...(jammerDb === undefined ? {} : { "jammer (dB)": jammerDb }),
        "relative MSE": digits(
          mean(all.filter((one) => one.jammerDb === jammerDb).flatMap((one) => one.radio.unbiased)),
          3,
        ),
        "xi, squared": digits(
          growth(({ squared }) => squared),
          4,
        ),
        "predicted / measured xi": digits(
          growth(({ predicted }) => predicted) / growth(({ squared }) => squared),
          3,
        ),
        "predicted / measured growth": digits(
          growth(({ linear, curvature }) => linear + curvature) / total,
          3,
        ),
        "linear form / measured growth": digits(growth(({ linear }) => linear) / total, 3),
        disagreement: digits(
          growth(({ disagreement }) => disagreement),
          4,
        ),
      };
    });
  });
}

function trialRows({ settings, models, conditions, normalised }) {
  const names = taskSets[settings.tasks].map(({ name }) => name);
  const row = (seed, noise, jammerDb, symbols, arm, mse, result, accuracy) => ({
    seed,
    noise,
    "jammer (dB)": jammerDb ?? "",
    symbols,
    arm,
    "relative MSE": mse,
    coefficient: result.coefficient ?? "",
    "realignment steps": result.step ?? "",
    "normalised accuracy": digits(normalised(seed, accuracy), 4),
    ...Object.fromEntries(names.map((name, t) => [name, digits(accuracy[t], 4)])),
  });
  return [
    ...models.flatMap((model) =>
      ["single", ...controls].map((name) =>
        row(model.seed, "", "", "", name, "", { step: model[name].step }, accuracyOf(model, name)),
      ),
    ),
    ...conditions.flatMap(({ seed, noise, jammerDb, symbols, radio: side, arms: results }) =>
      Object.entries(results).map(([arm, result]) => {
        const mse = side === undefined ? 0 : digits(mean(side[symbols]), 4);
        return row(seed, noise, jammerDb, symbols, arm, mse, result, result.accuracy);
      }),
    ),
  ];
}

function radioRow({ seed, noise, jammerDb, radio: side }) {
  return {
    seed,
    noise,
    "jammer (dB)": jammerDb ?? "",
    "sum rate (nats)": digits(side.sumRate),
    "lowest rate": digits(Math.min(...side.rates)),
    "highest rate": digits(Math.max(...side.rates)),
    "mean MSE": digits(mean(side.mse)),
    "mean MSE, unshrunk": digits(mean(side.unbiased)),
    "highest MSE, unshrunk": digits(Math.max(...side.unbiased)),
    "duality gap": side.dualityGap === undefined ? "" : digits(side.dualityGap, 2),
    order: side.order.join(" "),
  };
}

function disentanglementRow({ seed, noise, jammerDb, radio: side, disentanglement: found }) {
  const optional = (value) => (value === undefined ? "" : digits(value));
  return {
    seed,
    noise,
    "jammer (dB)": jammerDb ?? "",
    "mean relative MSE": side === undefined ? 0 : digits(mean(side.unbiased)),
    "xi, squared": digits(found.squared),
    lowest: optional(found.lowest),
    highest: optional(found.highest),
    predicted: optional(found.predicted),
    "standard error": optional(found.standardError),
    linear: optional(found.linear),
    curvature: optional(found.curvature),
    "xi, disagreement": digits(found.disagreement),
  };
}

function markdown({ received, baselines, raw }) {
  const columns = Object.keys(received[0]);
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [
    "Accuracy normalised to the single-task models, mean over the seeds (lowest to highest).",
    "",
    line(columns),
    line(columns.map(() => "---")),
    ...received.map((row) => line(columns.map((column) => row[column]))),
    "",
    line(["control", "normalised", "accuracy"]),
    line(["---", "---", "---"]),
    ...Object.keys(raw).map((name) => line([name, baselines[name] ?? 1, raw[name]])),
    "",
  ].join("\n");
}

const seedsOf = ({ seeds }) => `seed${seeds.length > 1 ? "s" : ""} ${seeds.join(", ")}`;
const spread = (list) => ({ y: mean(list), low: Math.min(...list), high: Math.max(...list) });
const armSeries = (names) =>
  names.map((name) => ({
    key: name,
    label: arms.find((arm) => arm.name === name).label,
    style: armStyles.indexOf(name),
  }));
const armStyles = ["protected", "unprotected", "realigned", "frozen", "unaware"];

/** Every task without noise, in white and in worst-case noise. */
function perTask(study) {
  const { settings, conditions, models, single } = study;
  const { middleDb } = settings;
  const names = taskSets[settings.tasks].map(({ name }) => name);
  const shown = ["protected", "unprotected", "unaware"];
  const panels = [
    ["none", undefined],
    ["white", middleDb],
    ["sum-rate", middleDb],
  ].map(([noise, jammerDb]) => {
    const here = conditions.filter(
      (one) => one.noise === noise && one.jammerDb === jammerDb && one.symbols === "unbiased",
    );
    const rows = names.flatMap((_, t) => [
      ...shown.map((arm) => ({
        series: arm,
        x: t + 1,
        ...spread(here.map((one) => one.arms[arm].accuracy[t] / single.get(one.seed)[t])),
      })),
      { series: "base", x: t + 1, y: mean(models.map((model) => model.base[t] / model.single[t])) },
    ]);
    return { rows, noise, jammerDb };
  });
  const y = linearAxis(
    "Normalised accuracy",
    panels.flatMap(({ rows }) =>
      rows.flatMap((row) => [row.y, row.low ?? row.y, row.high ?? row.y, labelRoom]),
    ),
  );
  return {
    description: "Accuracy of the fused model per task",
    x: categoryAxis("Task", names),
    series: seriesOf([...armSeries(shown), { key: "base", label: "base", reference: true }]),
    panels: panels.map(({ rows, noise, jammerDb }) => ({
      height: 105,
      y,
      rows,
      level: 1,
      label: {
        text: `${kindLabels[noise]}${jammerDb === undefined ? "" : `, ${signed(jammerDb)} dB`}`,
        corner: "top-right",
      },
    })),
    note: `Mean over ${seedsOf(settings)}; bars: lowest to highest. Normalised: over the accuracy of the single-task model.`,
  };
}

function versusPower(study) {
  const { settings } = study;
  const shown = armStyles;
  const banded = ["protected", "unprotected", "unaware"];
  const powers = settings.jammerDb;
  const flat = ["base", "base realigned, frozen"];
  const panels = settings.kinds.map((noise) => ({
    noise,
    rows: [
      ...shown.flatMap((arm) =>
        powers.map((x) => {
          const { y, low, high } = spread(values(study, arm, noise, x));
          return { series: arm, x, y, ...(banded.includes(arm) ? { low, high } : {}) };
        }),
      ),
      ...flat.flatMap((name) =>
        powers.map((x) => ({ series: name, x, y: mean(controlValues(study, name)) })),
      ),
    ],
  }));
  const y = linearAxis(
    "Normalised accuracy",
    panels.flatMap(({ rows }) =>
      rows.flatMap((row) => [row.y, row.low ?? row.y, row.high ?? row.y, labelRoom]),
    ),
  );
  return {
    description: "Accuracy of the fused model against the power of the jammer",
    x: sweepAxis("Jammer over thermal noise, per antenna (dB)", powers, false),
    series: seriesOf([
      ...armSeries(shown),
      { key: "base realigned, frozen", label: "base, realigned", style: 6 },
      { key: "base", label: "base", reference: true },
    ]),
    panels: panels.map(({ rows, noise }) => ({
      height: 150,
      y,
      rows,
      level: 1,
      label: { text: kindLabels[noise], corner: "top-right" },
    })),
    note:
      `Accuracy over that of the single-task model, eight fused tasks; users at ${signed(radio.snrDb)} dB per antenna. Mean over tasks and ${seedsOf(settings)}; bands (of three arms): lowest to ` +
      `highest. Realignment: ${settings.images.shots} images per task.`,
  };
}

function disentanglementChart(study) {
  const rowsOf = (noise, series, of) => {
    const all = measured(study, noise);
    return study.settings.jammerDb.map((jammerDb) => {
      const here = all.filter((one) => one.jammerDb === jammerDb);
      return {
        series,
        x: mean(here.flatMap((one) => one.radio.unbiased)),
        ...of(here.map((one) => one.disentanglement)),
      };
    });
  };
  const each = (name) => (list) => spread(list.map((one) => one[name]));
  const only = (of) => (list) => ({ y: mean(list.map(of)) });
  const squared = [
    ...rowsOf("sum-rate", "worst", each("squared")),
    ...rowsOf(
      "white",
      "white",
      only(({ squared: xi }) => xi),
    ),
    ...rowsOf(
      "sum-rate",
      "predicted",
      only(({ predicted }) => predicted),
    ),
    ...rowsOf(
      "sum-rate",
      "linear",
      only(({ noiseless, linear }) => noiseless + linear),
    ),
  ].filter(({ y }) => y > 0);
  const disagreement = [
    ...rowsOf("sum-rate", "worst", each("disagreement")),
    ...rowsOf(
      "white",
      "white",
      only(({ disagreement: xi }) => xi),
    ),
  ];
  const start = measured(study, "none").map((one) => one.disentanglement);
  const xs = squared.map(({ x }) => x);
  return {
    description: "Disentanglement error against the relative MSE of the task vectors, with its prediction",
    x: logAxis("Relative MSE of the task vectors, mean over the users", xs, false),
    series: seriesOf([
      { key: "worst", label: "measured, worst case", style: 0 },
      { key: "white", label: "measured, white", style: 4 },
      { key: "predicted", label: "predicted, worst case", style: 1 },
      { key: "linear", label: "without curvature", style: 2 },
    ]),
    panels: [
      {
        height: 150,
        y: logAxis("ξ, squared distance", [
          ...squared.flatMap(({ y, low = y, high = y }) => [y, low, high]),
          mean(start.map((one) => one.squared)),
        ]),
        rows: squared,
        level: mean(start.map((one) => one.squared)),
        label: { text: "sum over the tasks", corner: "top-left" },
      },
      {
        height: 110,
        y: linearAxis("ξ, disagreement", [
          0,
          ...disagreement.flatMap(({ y, low = y, high = y }) => [y, low, high]),
        ]),
        rows: disagreement,
        level: mean(start.map((one) => one.disagreement)),
        label: { text: "sum over the tasks", corner: "top-left" },
      },
    ],
    note:
      `Against the clean single-task models, at the coefficients without noise; horizontal line: no noise. Mean over ` +
      `${seedsOf(study.settings)} and ${study.settings.disentanglement.draws} draws each; bands: lowest to highest seed.`,
  };
}

function rateChart(study) {
  const { settings, conditions } = study;
  const at = (noise, jammerDb) =>
    conditions
      .filter((one) => one.noise === noise && one.jammerDb === jammerDb && one.symbols === "unbiased")
      .map((one) => one.radio);
  const rowsOf = (of) => [
    ...settings.kinds.flatMap((noise) =>
      settings.jammerDb.map((x) => ({ series: noise, x, ...spread(at(noise, x).map(of)) })),
    ),
    ...settings.jammerDb.map((x) => ({ series: "thermal", x, y: mean(at("thermal", undefined).map(of)) })),
  ];
  const rates = rowsOf(({ sumRate }) => sumRate);
  const mses = rowsOf(({ unbiased }) => mean(unbiased));
  const axis = (title, rows) =>
    logAxis(
      title,
      rows.flatMap(({ y, low = y, high = y }) => [y, low, high]),
    );
  return {
    description: "Sum rate and relative MSE against the power of the jammer",
    x: sweepAxis("Jammer over thermal noise, per antenna (dB)", settings.jammerDb, false),
    series: seriesOf([
      { key: "sum-rate", label: "worst case", style: 0 },
      { key: "white", label: "white", style: 1 },
      { key: "thermal", label: "no jammer", reference: true },
    ]),
    panels: [
      { height: 140, y: axis("Sum rate (nats per use)", rates), rows: rates },
      { height: 120, y: axis("Relative MSE, unshrunk", mses), rows: mses },
    ],
    note:
      `${radio.users} users with ${radio.streams} streams each at ${signed(radio.snrDb)} dB, ${radio.antennas} antennas at the server. Mean over ` +
      `${seedsOf(settings)} and, below, over the users; bands: lowest to highest seed.`,
  };
}

const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
const signed = (value) => String(value).replace("-", "−");
const digits = (value, count = 5) =>
  Number.isFinite(value) ? Number(value.toPrecision(count)) : String(value);
const range = (list) =>
  `${mean(list).toFixed(3)} (${Math.min(...list).toFixed(3)}–${Math.max(...list).toFixed(3)})`;
