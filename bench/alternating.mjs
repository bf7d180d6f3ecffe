/**
 * The alternating scheme: iterations per second at the size of a small cell (K=10, M=16, Nr=16, Nt=4, S=4), and
 * how the time of an iteration grows with devices and subcarriers. Run `npm run build` first.
 */
import { pathToFileURL } from "node:url";
import { designBeamformers, rayleighChannel } from "../dist/aircomp.js";

const base = { devices: 10, subcarriers: 16, receiveAntennas: 16, transmitAntennas: 4, streams: 4 };

/** Milliseconds per iteration, start excluded: the median over runs of the times between iterations. */
function perIteration(size, runs) {
  const { streams, ...shape } = size;
  const channel = rayleighChannel({ ...shape, taps: 3, delaySpread: 2, seed: 1 });
  const times = [];
  for (let run = 0; run < runs; run++) {
    let last = Number.NaN;
    designBeamformers({
      channel,
      streams,
      power: shape.subcarriers * 10,
      noiseVariance: 1,
      effort: "fast",
      onProgress: () => {
        const now = performance.now();
        if (!Number.isNaN(last) && run > 0) times.push(now - last);
        last = now;
      },
    });
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}

export async function run({ quick = false } = {}) {
  const runs = quick ? 3 : 11;
  const sizes = [
    base,
    { ...base, devices: 20 },
    { ...base, devices: 40 },
    { ...base, subcarriers: 64 },
    { ...base, receiveAntennas: 64 },
    { ...base, streams: 1 },
  ];
  const rows = sizes.map((size) => {
    const milliseconds = perIteration(size, runs);
    return { ...size, "ms/iteration": milliseconds, "iterations/s": 1000 / milliseconds };
  });
  console.table(
    rows.map((row) => ({
      ...row,
      "ms/iteration": row["ms/iteration"].toFixed(3),
      "iterations/s": row["iterations/s"].toFixed(0),
    })),
  );
  return rows;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await run({ quick: process.argv.includes("--quick") });
}
