/**
 * Uniform forcing against a yardstick of 100 random starts that are all run to their end: the excess of the objective
 * and the share of its time, for effort "default" and "fast". Seeds 1, 2, ...; tuning used others. The yardstick is
 * not part of the public API, so this one runs on the sources: it needs nothing built but `npm ci`.
 */
import { rmSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "tsdown";
import { geometricMean, median, percent, quantile, timed } from "./support.mjs";

const sizes = [
  [10, 1, 8, 1, 1],
  [20, 1, 8, 1, 1],
  [10, 1, 16, 1, 1],
  [20, 1, 16, 2, 1],
  [40, 1, 16, 1, 1],
  [20, 1, 32, 1, 1],
  [40, 1, 64, 1, 1],
  [10, 1, 16, 4, 2],
  [10, 1, 16, 4, 4],
  [20, 1, 16, 4, 2],
  [15, 1, 16, 4, 3],
  [10, 1, 32, 8, 4],
  [10, 4, 16, 4, 2],
];

/** Where bare imports of the bundle find this project's packages. */
const folder = new URL("../node_modules/.cache/airfold-bench/", import.meta.url);

/** The solver with the option `starts`, bundled from the sources. */
async function sources() {
  const entry = {
    forcing: "src/aircomp/uniform-forcing/index.ts",
    design: "src/aircomp/design.ts",
    channel: "src/aircomp/channel.ts",
  };
  await build({
    entry,
    outDir: fileURLToPath(folder),
    dts: false,
    format: "esm",
    logLevel: "error",
    config: false,
  });
  const load = (name) => import(new URL(`${name}.mjs`, folder).href);
  const { uniformForcing } = await load("forcing");
  const { transceiverProblem } = await load("design");
  const { rayleighChannel } = await load("channel");
  rmSync(folder, { recursive: true });
  return { uniformForcing, transceiverProblem, rayleighChannel };
}

export async function run({ quick = false } = {}) {
  const { uniformForcing, transceiverProblem, rayleighChannel } = await sources();
  const channels = quick ? 2 : 16;
  const table = [];
  const all = { default: [], fast: [] };
  for (const [devices, subcarriers, receiveAntennas, transmitAntennas, streams] of sizes) {
    const ratios = { default: [], fast: [] };
    const times = { default: [], fast: [], yardstick: [] };
    for (let seed = 1; seed <= channels; seed++) {
      const shape = { devices, subcarriers, receiveAntennas, transmitAntennas };
      const channel = rayleighChannel({ ...shape, taps: Math.min(2, subcarriers), seed });
      const problem = transceiverProblem({ channel, streams, power: subcarriers, noiseVariance: 1 });
      const [best, slow] = timed(() => uniformForcing(problem, { effort: "default", seed, starts: 100 }));
      times.yardstick.push(slow);
      for (const effort of ["default", "fast"]) {
        const [found, ms] = timed(() => uniformForcing(problem, { effort, seed }));
        ratios[effort].push(found.objective / best.objective);
        times[effort].push(ms);
      }
    }
    for (const effort of ["default", "fast"]) all[effort].push(...ratios[effort]);
    const sum = (list) => list.reduce((total, x) => total + x, 0);
    table.push({
      "K M Nr Nt S": [devices, subcarriers, receiveAntennas, transmitAntennas, streams].join(" "),
      "default excess": percent(geometricMean(ratios.default)),
      "95th": percent(quantile(ratios.default, 0.95)),
      "time / yardstick": (sum(times.default) / sum(times.yardstick)).toFixed(3),
      "median ms": median(times.default).toFixed(1),
      "fast excess": percent(geometricMean(ratios.fast)),
      "fast median ms": median(times.fast).toFixed(1),
    });
  }
  console.table(table);
  for (const effort of ["default", "fast"]) {
    const values = all[effort];
    const mean = percent(geometricMean(values));
    const tail = percent(quantile(values, 0.95));
    console.log(`${effort}, ${values.length} channels: mean excess ${mean}, 95th percentile ${tail}`);
  }
  return table;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await run({ quick: process.argv.includes("--quick") });
}
