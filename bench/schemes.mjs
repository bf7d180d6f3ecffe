/**
 * Every analog scheme on the same channels: how far its MSE is from the best of all (geometric mean of the ratios), and
 * its median time. Default effort, without the certificate, whose own time is the last row. Run `npm run build` first.
 */
import { pathToFileURL } from "node:url";
import { designBeamformers, mseLowerBound, rayleighChannel, schemes } from "../dist/aircomp.js";
import { geometricMean, median, timed } from "./support.mjs";

const sizes = [
  { devices: 10, subcarriers: 4, receiveAntennas: 16, transmitAntennas: 4, streams: 4 },
  { devices: 20, subcarriers: 1, receiveAntennas: 16, transmitAntennas: 1, streams: 1 },
];

export async function run({ quick = false } = {}) {
  const channels = quick ? 3 : 15;
  const table = [];
  const analog = schemes.filter((scheme) => scheme !== "ideal" && scheme !== "digital");
  for (const { streams, ...shape } of sizes) {
    const options = (seed, snrDb) => ({
      channel: rayleighChannel({ ...shape, taps: Math.min(3, shape.subcarriers), seed }),
      streams,
      power: shape.subcarriers * 10 ** (snrDb / 10),
      noiseVariance: 1,
    });
    // warm up every scheme
    for (const scheme of analog) designBeamformers({ ...options(1, 10), scheme, certificate: false });
    for (const snrDb of [0, 10, 20, 30]) {
      const results = new Map(analog.map((scheme) => [scheme, { mse: [], ms: [] }]));
      const bounds = { ratio: [], ms: [] };
      for (let seed = 1; seed <= channels; seed++) {
        const problem = options(seed, snrDb);
        for (const scheme of analog) {
          const [design, ms] = timed(() => designBeamformers({ ...problem, scheme, certificate: false }));
          results.get(scheme).mse.push(design.mse);
          results.get(scheme).ms.push(ms);
        }
        const [bound, ms] = timed(() => mseLowerBound(problem));
        bounds.ratio.push(bound.value);
        bounds.ms.push(ms);
      }
      const best = Array.from({ length: channels }, (_, i) =>
        Math.min(...[...results.values()].map(({ mse }) => mse[i])),
      );
      const row = (scheme, values, times) => ({
        "K M Nr Nt S": [...Object.values(shape), streams].join(" "),
        "SNR dB": snrDb,
        scheme,
        "MSE / best": geometricMean(values.map((value, i) => value / best[i])).toFixed(4),
        "median ms": median(times).toFixed(1),
      });
      for (const [scheme, { mse, ms }] of results) table.push(row(scheme, mse, ms));
      table.push(row("(lower bound)", bounds.ratio, bounds.ms));
    }
  }
  console.table(table);
  return table;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await run({ quick: process.argv.includes("--quick") });
}
