/** The base and the single-task models of a seed, made once and kept in a file while the study runs. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { maskedNames } from "airfold/fusion";
import { initialParameters, shapesOf } from "./network.mjs";
import { mask } from "./plan.mjs";
import { train } from "./training.mjs";

/**
 * Trains what is not in the file yet, and writes the file after every model.
 *
 * @param tasks as `loadTasks` gives them
 * @param key of the settings: a file of another key is not read
 * @param said called with the name of every model that was trained here
 * @returns { base, single, frozen }: parameters; a single-task model per task, with the whole trunk trained and with the
 *   mask frozen
 */
export function trainModels({ architecture, tasks, settings, seed, file, key, said = () => {} }) {
  const models = readModels(architecture, file, key) ?? [];
  const masked = new Set(maskedNames(initialParameters(architecture, seed), mask));
  const whole = (name) => !name.startsWith("head");
  const unmasked = (name) => whole(name) && !masked.has(name);
  const add = (name, make) => {
    const at = models.findIndex((model) => model.name === name);
    if (at >= 0) return models[at].parameters;
    const parameters = make();
    models.push({ name, parameters });
    writeModels(architecture, file, key, models);
    said(name);
    return parameters;
  };
  const base = add("base", () =>
    train({
      architecture,
      start: initialParameters(architecture, seed),
      samples: tasks.map(({ base: own }, task) => ({ task, ...own })),
      ...settings.base,
      trains: () => true,
    }),
  );
  const fineTuned = (variant, trains) =>
    tasks.map(({ train: own }, task) =>
      add(`${variant} ${task}`, () =>
        train({ architecture, start: base, samples: [{ task, ...own }], ...settings.fineTuning, trains }),
      ),
    );
  return { base, single: fineTuned("single", whole), frozen: fineTuned("frozen", unmasked) };
}

/** One line of JSON with the key and the names, then all numbers in single precision. */
function writeModels(architecture, file, key, models) {
  const order = [...shapesOf(architecture).keys()];
  const blocks = models.flatMap(({ parameters }) => order.map((name) => parameters[name]));
  const bytes = Buffer.concat(
    blocks.map((block) => Buffer.from(block.buffer, block.byteOffset, block.byteLength)),
  );
  const head = JSON.stringify({ key, names: models.map(({ name }) => name), hash: hashOf(bytes) });
  writeFileSync(`${file}.new`, Buffer.concat([Buffer.from(`${head}\n`), bytes]));
  renameSync(`${file}.new`, file);
}

function readModels(architecture, file, key) {
  if (!existsSync(file)) return undefined;
  const content = readFileSync(file);
  const end = content.indexOf("\n");
  const head = JSON.parse(content.subarray(0, end).toString());
  const bytes = Uint8Array.from(content.subarray(end + 1));
  if (head.key !== key || head.hash !== hashOf(bytes)) return undefined;
  let offset = 0;
  return head.names.map((name) => ({
    name,
    parameters: Object.fromEntries(
      [...shapesOf(architecture)].map(([tensor, shape]) => {
        const count = shape.reduce((a, b) => a * b, 1);
        const data = new Float32Array(bytes.buffer, offset, count).slice();
        offset += 4 * count;
        return [tensor, data];
      }),
    ),
  }));
}

export const hashOf = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 16);
