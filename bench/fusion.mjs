/**
 * The worst-case noise covariance against one Hermitian eigendecomposition of the same size, N_r = 64: the closed
 * form is to cost at most 3 of them. Warm medians of processor time (a busy machine makes the clock useless), the
 * two in turn. Behind a jammer channel: Newton steps, cost in eigendecompositions and seconds. Run `npm run
 * build` first, then `node bench/fusion.mjs [--quick]`.
 */
import { pathToFileURL } from "node:url";
import { median } from "./support.mjs";

const antennas = 64;

/** [result, milliseconds of processor time per call] */
function timed(call, times) {
  const start = process.cpuUsage();
  let result;
  for (let i = 0; i < times; i++) result = call();
  const { user, system } = process.cpuUsage(start);
  return [result, (user + system) / 1000 / times];
}

export async function run({ quick = false } = {}) {
  const { randomStream } = await import("../dist/core.js");
  const { add, eigHermitian, hermitianPart, multiplyConjugateRight, randomMatrix } = await import(
    "../dist/linalg.js"
  );
  const { worstCaseNoise } = await import("../dist/fusion.js");
  const random = (rows, cols, ...name) => randomMatrix(rows, cols, randomStream(1, "bench", ...name));
  const covariance = (rank, ...name) => {
    const a = random(antennas, rank, ...name);
    return hermitianPart(multiplyConjugateRight(a, a));
  };
  const compare = (call, signal, repeats) => {
    const times = { ours: [], eigen: [] };
    let found;
    for (let i = -2; i < repeats; i++) {
      const [, eigen] = timed(() => eigHermitian(signal), 10);
      const [result, ours] = timed(call, repeats > 3 ? 10 : 1);
      found = result;
      if (i < 0 && repeats > 3) continue;
      times.ours.push(ours);
      times.eigen.push(eigen);
    }
    const [ours, eigen] = [median(times.ours), median(times.eigen)];
    return {
      "cpu ms": Number(ours.toPrecision(3)),
      "eigHermitian cpu ms": Number(eigen.toPrecision(3)),
      ratio: Number((ours / eigen).toPrecision(3)),
      steps: found.iterations,
      "relative gap": Number((found.dualityGap / found.value).toPrecision(2)),
      reason: found.reason,
    };
  };
  const rows = [];
  const closed = [
    ["sum rate, 1 user", [64], "sum-rate", 0],
    ["sum rate, 8 users", Array(8).fill(16), "sum-rate", 0],
    ["sum rate, 8 users, floor", Array(8).fill(16), "sum-rate", 1],
    ["mse, 1 user", [64], "mse", 0],
  ];
  for (const [name, ranks, objective, floor] of closed) {
    const signalCovariances = ranks.map((rank, q) => covariance(rank, q));
    const total = signalCovariances.reduce((a, b) => add(a, b));
    const options = { signalCovariances, power: 100, floor, objective };
    rows.push({ name, ...compare(() => worstCaseNoise(options), total, quick ? 5 : 15) });
  }
  const behind = [
    [16, 32, 10, "sum-rate"],
    [32, 32, 100, "sum-rate"],
    [64, 64, 100, "sum-rate"],
    [16, 32, 10, "mse"],
    [64, 64, 100, "mse"],
  ];
  for (const [m, rank, power, objective] of quick ? behind.slice(0, 1) : behind) {
    const signal = covariance(rank, "jammed", m);
    const jammerChannel = random(antennas, m, "channel", m);
    const options = { signalCovariances: [signal], power, floor: 1, objective, jammerChannel };
    const name = `${objective}, ${m} jammer antennas, signal rank ${rank}, power ${power}`;
    rows.push({ name, ...compare(() => worstCaseNoise(options), signal, quick ? 1 : 3) });
  }
  console.table(rows);
  return rows;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await run({ quick: process.argv.includes("--quick") });
}
