/** Worker of the study: the models of a seed, or one reception of their task vectors with all arms. */
import { join } from "node:path";
import { parentPort } from "node:worker_threads";
import {
  disentanglementError,
  fuse,
  injectNoise,
  predictDisentanglement,
  realign,
  selectCoefficients,
  taskVector,
} from "airfold/fusion";
import { startBackend } from "../federated-lora/backend.mjs";
import { loadTasks } from "./data.mjs";
import { hashOf, trainModels } from "./models.mjs";
import { accuracy, logits, lossAndGradient } from "./network.mjs";
import { architectureOf, arms, heads, mask, radio } from "./plan.mjs";
import { channelsOf, receive } from "./radio.mjs";

await startBackend();
let loaded;

/** @returns what goes into the log */
export default async function run(job) {
  const here = load(job);
  return job.kind === "models" ? modelsOf(here) : condition(here, job);
}

/** Tasks and models of a seed; jobs come seed by seed, and one is kept. */
function load({ settings, seed, folder }) {
  const key = JSON.stringify({ settings, seed });
  if (loaded?.key === key) return loaded;
  const architecture = architectureOf(settings);
  const tasks = loadTasks(settings.tasks, settings.images, seed);
  const file = join(folder, `models-${seed}.bin`);
  const said = (name) => parentPort?.postMessage(`seed ${seed}: trained ${name}`);
  const models = trainModels({ architecture, tasks, settings, seed, file, key, said });
  const { base } = models;
  const vectors = {
    whole: models.single.map((parameters) => taskVector(parameters, base, { frozen: heads })),
    frozen: models.frozen.map((parameters) => taskVector(parameters, base, { frozen: [...heads, ...mask] })),
  };
  loaded = { key, settings, seed, architecture, tasks, models, vectors };
  return loaded;
}

const accuracies = ({ architecture, tasks }, parameters, split) =>
  tasks.map((task, t) => accuracy(architecture, parameters, task[split], t));

/** What the server looks at: the mean accuracy on the validation images. */
const scoreOf = (here) => (parameters) => mean(accuracies(here, parameters, "validation"));

const maskOf = (isFrozen) => (isFrozen ? [...heads, ...mask] : heads);

function select(here, taskVectors, isFrozen) {
  return selectCoefficients({
    base: here.models.base,
    taskVectors,
    frozen: maskOf(isFrozen),
    score: scoreOf(here),
    values: here.settings.coefficients,
  });
}

function realigned(here, fused, isFrozen) {
  const batches = here.tasks.map(({ shots }, task) => ({ task, ...shots }));
  return realign({
    fused,
    ...(isFrozen ? { frozen: mask } : {}),
    shots: here.settings.images.shots,
    optimizer: "adam",
    gradient: (parameters) => lossAndGradient(here.architecture, parameters, batches).gradient,
    validate: scoreOf(here),
    ...here.settings.realignment,
  });
}

/** Accuracies without a radio: single-task models, the base, the base realigned; and the coefficients without noise. */
async function modelsOf(here) {
  const { architecture, tasks, models, vectors } = here;
  const own = (list) => list.map((parameters, t) => accuracy(architecture, parameters, tasks[t].test, t));
  const controls = {};
  for (const [name, isFrozen] of [
    ["base realigned", false],
    ["base realigned, frozen", true],
  ]) {
    const { parameters, step } = await realigned(here, models.base, isFrozen);
    controls[name] = { accuracy: accuracies(here, parameters, "test"), step };
  }
  const whole = await select(here, vectors.whole, false);
  const frozen = await select(here, vectors.frozen, true);
  const all = [models.base, ...models.single, ...models.frozen].flatMap((set) => Object.values(set));
  const bytes = all.map((tensor) => Buffer.from(tensor.buffer, tensor.byteOffset, tensor.byteLength));
  return {
    kind: "models",
    seed: here.seed,
    single: own(models.single),
    "single, frozen": own(models.frozen),
    base: accuracies(here, models.base, "test"),
    ...controls,
    coefficients: { whole: whole.coefficients[0], frozen: frozen.coefficients[0] },
    norms: { whole: vectors.whole.map(normOf), frozen: vectors.frozen.map(normOf) },
    hash: hashOf(Buffer.concat(bytes)),
  };
}

/** @param job.coefficients those without noise */
async function condition(here, { noise, jammerDb, symbols, coefficients }) {
  const { base } = here.models;
  const radioSide = noise === "none" ? undefined : receive(channelsOf(radio, here.seed), noise, jammerDb);
  const mse = radioSide?.[symbols] ?? 0;
  const received = {
    whole: injectNoise({ taskVectors: here.vectors.whole, mse, seed: here.seed }),
    frozen: injectNoise({ taskVectors: here.vectors.frozen, mse, seed: here.seed }),
  };
  const chosen = {
    whole: await select(here, received.whole.taskVectors, false),
    frozen: await select(here, received.frozen.taskVectors, true),
  };
  const results = {};
  for (const { name, frozen: isFrozen, selected, realigned: isRealigned } of arms) {
    const variant = isFrozen ? "frozen" : "whole";
    let parameters = selected
      ? chosen[variant].parameters
      : fuse({
          base,
          taskVectors: received[variant].taskVectors,
          coefficients: coefficients[variant],
          frozen: maskOf(isFrozen),
        });
    const result = { coefficient: selected ? chosen[variant].coefficients[0] : coefficients[variant] };
    if (isRealigned) {
      const repaired = await realigned(here, parameters, isFrozen);
      parameters = repaired.parameters;
      result.step = repaired.step;
    }
    if (isFrozen) checkMasked(base, parameters);
    results[name] = { ...result, accuracy: accuracies(here, parameters, "test") };
  }
  const isMeasured = symbols === "unbiased" && ["none", "thermal", ...here.settings.kinds].includes(noise);
  return {
    kind: "condition",
    seed: here.seed,
    noise,
    ...(jammerDb === undefined ? {} : { jammerDb }),
    symbols,
    ...(radioSide === undefined ? {} : { radio: radioSide }),
    arms: results,
    ...(isMeasured
      ? { disentanglement: await disentangled(here, mse, coefficients.whole, received.whole) }
      : {}),
  };
}

/** What is frozen is the base's, bit for bit. */
function checkMasked(base, parameters) {
  for (const pattern of mask) {
    const prefix = pattern.slice(0, -1);
    for (const [name, tensor] of Object.entries(base)) {
      if (
        name.startsWith(prefix) &&
        !Buffer.from(tensor.buffer).equals(Buffer.from(parameters[name].buffer))
      ) {
        throw new Error(`${name} is frozen and differs from that of the base`);
      }
    }
  }
}

/**
 * xi at the coefficients without noise, in the mean over some draws of the noise, with its prediction; the first draw is
 * that of the arms.
 */
async function disentangled(here, mse, coefficients, received) {
  const { architecture, tasks, models, settings, vectors } = here;
  const { samples, draws, probes } = settings.disentanglement;
  const common = {
    base: models.base,
    coefficients,
    frozen: heads,
    inputs: tasks.map(({ test }) => ({
      inputs: test.inputs.slice(0, samples * architecture.inputs),
      count: samples,
    })),
    model: (parameters, inputs, task) => logits(architecture, parameters, inputs, task),
  };
  const errors = { squared: [], disagreement: [] };
  const isNoisy = received.variances.some((variance) => variance > 0);
  for (let draw = 0; draw < (isNoisy ? draws : 1); draw++) {
    const { taskVectors } =
      draw === 0 ? received : injectNoise({ taskVectors: vectors.whole, mse, seed: 1000 * here.seed + draw });
    for (const distance of Object.keys(errors)) {
      const { error } = await disentanglementError({
        ...common,
        taskVectors,
        referenceVectors: vectors.whole,
        distance,
      });
      errors[distance].push(error);
    }
  }
  if (!isNoisy) return { squared: errors.squared[0], disagreement: errors.disagreement[0] };
  const { error, linear, curvature, predicted, standardError } = await predictDisentanglement({
    ...common,
    taskVectors: vectors.whole,
    noise: received.variances,
    probes,
    seed: here.seed,
  });
  return {
    squared: mean(errors.squared),
    lowest: Math.min(...errors.squared),
    highest: Math.max(...errors.squared),
    disagreement: mean(errors.disagreement),
    noiseless: error,
    linear,
    curvature,
    predicted,
    standardError,
  };
}

const normOf = (set) =>
  Math.sqrt(Object.values(set).reduce((sum, tensor) => sum + tensor.reduce((s, x) => s + x * x, 0), 0));
const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
