/**
 * How the time of one iteration (of uniform forcing and the lower bound: of a fast run) grows with devices and subcarriers, with the exponents of the fitted power laws (1 is
 * linear). Run `npm run build` first.
 */
import { pathToFileURL } from "node:url";
import { designBeamformers, mseLowerBound, rayleighChannel } from "../dist/aircomp.js";
import { exponent, median, timed } from "./support.mjs";

const base = { devices: 10, subcarriers: 16, receiveAntennas: 16, transmitAntennas: 4 };
const streams = 4;

/** Median milliseconds between two rows, the first few left out. */
function perIteration(problem, scheme, iterations) {
  const controller = new AbortController();
  const times = [];
  let last = performance.now();
  designBeamformers({
    ...problem,
    scheme,
    certificate: false,
    signal: controller.signal,
    onProgress: ({ iteration }) => {
      const now = performance.now();
      if (iteration > 3) times.push(now - last);
      last = now;
      if (iteration >= iterations) controller.abort();
    },
  });
  return median(times);
}

export async function run({ quick = false } = {}) {
  const sweeps = {
    devices: quick ? [10, 40, 160] : [10, 30, 100, 300, 1000],
    subcarriers: quick ? [16, 64, 256] : [16, 64, 256, 1024],
  };
  const iterations = quick ? 8 : 24;
  const table = [];
  const exponents = [];
  for (const [name, values] of Object.entries(sweeps)) {
    const times = { alternating: [], manifold: [], "uniform-forcing": [], bound: [] };
    for (const value of values) {
      const shape = { ...base, ...(name === "devices" ? { subcarriers: 1 } : {}), [name]: value };
      const problem = {
        channel: rayleighChannel({ ...shape, taps: Math.min(3, shape.subcarriers), seed: 1 }),
        streams,
        power: shape.subcarriers * 10,
        noiseVariance: 1,
      };
      for (const scheme of ["alternating", "manifold"]) {
        times[scheme].push(perIteration(problem, scheme, iterations));
      }
      // its iterations are of unlike kinds: the whole fast design
      const fast = { ...problem, scheme: "uniform-forcing", effort: "fast" };
      times["uniform-forcing"].push(timed(() => designBeamformers(fast))[1]);
      times.bound.push(timed(() => mseLowerBound({ ...problem, effort: "fast" }))[1]);
      const cells = Object.entries(times).map(([key, list]) => [`${key} ms`, list.at(-1).toFixed(2)]);
      table.push({ sweep: name, value, ...Object.fromEntries(cells) });
    }
    for (const [scheme, list] of Object.entries(times)) {
      exponents.push({ sweep: name, scheme, exponent: exponent(values, list).toFixed(2) });
    }
  }
  console.table(table);
  console.table(exponents);
  return { table, exponents };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await run({ quick: process.argv.includes("--quick") });
}
