/**
 * The joint solver over the rank and the beamformers: 32 ranks with powers of their own (an energy budget), K = 10,
 * M = 16, Nr = 16, Nt = 4, S = 4. SNR dB is that of the middle rank. "cold" is one `designBeamformers` of the same
 * scheme and effort at the power of the middle rank. First the table of times, medians and least of several runs in
 * turn in one process; then how much larger omega is than that of a design from scratch with effort "default" at the
 * same rank. Run `npm run build` first.
 */
import { pathToFileURL } from "node:url";
import { designBeamformers } from "../dist/aircomp.js";
import { minimizeOptimalityGap, rankProblem } from "../dist/bounds.js";
import { median, percent, timed } from "./support.mjs";

const maxRank = 32;
const middle = maxRank / 2;
const sizes = { devices: 10, receiveAntennas: 16, transmitAntennas: 4 };

/** 24 layers of 768 x 768 whose Delta W* has a geometric spectrum; L = 1 gives Delta0 and a1 from its energy. */
function scenario({ subcarriers, snrDb, effort, rankSearch, seed }) {
  const layers = [{ dOut: 768, dIn: 768, count: 24 }];
  const spectrum = { kind: "geometric", scale: 1, ratio: 0.85 };
  const energy = 24 / (1 - spectrum.ratio ** 2);
  const symbols = Math.ceil((24 * 1536 * middle) / (2 * 4 * subcarriers));
  const symbolDuration = 7.1e-5;
  return {
    channel: {
      model: "rayleigh",
      ...sizes,
      subcarriers,
      taps: Math.min(6, subcarriers),
      delaySpread: 3,
      seed,
    },
    link: {
      streams: 4,
      snrDb: 60,
      symbolDuration,
      energyPerRound: subcarriers * 10 ** (snrDb / 10) * symbols * symbolDuration,
    },
    learning: { smoothness: 1, plConstant: 0.1, initialGap: energy / 2, rounds: 100, gradientFloor: energy },
    lora: { layers, trained: "both", residual: { kind: "spectral", spectrum } },
    solver: { scheme: "manifold", rankSearch, maxRank, seed: 1, effort },
  };
}

function cold(problem, rank, effort) {
  const { channel, streams, noiseVariance } = problem;
  const { power } = problem.payloadAt(rank);
  return designBeamformers({ channel, streams, noiseVariance, power, effort, certificate: false });
}

function solve(options) {
  let iterations = 0;
  const onProgress = (progress) => {
    iterations = progress.iterations;
  };
  return { ...minimizeOptimalityGap(scenario(options), { onProgress }), iterations };
}

function times(snrDb, effort, repeats) {
  const common = { subcarriers: 16, snrDb, effort, seed: 1 };
  const problem = rankProblem(scenario({ ...common, rankSearch: "exhaustive" }));
  const ms = { cold: [], backtracking: [], exhaustive: [] };
  const found = {};
  // the first round warms up, where there is more than one
  for (let i = repeats > 1 ? 0 : 1; i <= repeats; i++) {
    for (const name of Object.keys(ms)) {
      const run = () =>
        name === "cold" ? cold(problem, middle, effort) : solve({ ...common, rankSearch: name });
      const [result, elapsed] = timed(run);
      if (i > 0) ms[name].push(elapsed);
      found[name] = result;
    }
  }
  const { exhaustive, backtracking } = found;
  const both = (name) => `${median(ms[name]).toFixed(0)} (${Math.min(...ms[name]).toFixed(0)})`;
  return {
    effort,
    "SNR dB": snrDb,
    "cold ms (least)": both("cold"),
    "exhaustive ms": both("exhaustive"),
    "backtracking ms": both("backtracking"),
    "backtracking / exhaustive": (median(ms.backtracking) / median(ms.exhaustive)).toFixed(2),
    "exhaustive / cold": (median(ms.exhaustive) / median(ms.cold)).toFixed(1),
    rank: `${backtracking.rank}, ${exhaustive.rank}`,
    "ranks seen": backtracking.byRank.length,
    solves: [backtracking, exhaustive].map(({ solves }) => `${solves.path}+${solves.settling}`).join(", "),
    iterations: `${found.cold.iterations}, ${backtracking.iterations}, ${exhaustive.iterations}`,
  };
}

/** omega in the table over omega from scratch, over ranks and channels; and the least gap over these ranks. */
function quality(subcarriers, snrDb, ranks, channels) {
  const efforts = ["fast", "default"];
  const found = efforts.map((effort) => ({ effort, ratios: [], gaps: [] }));
  for (let seed = 1; seed <= channels; seed++) {
    const options = { subcarriers, snrDb, rankSearch: "exhaustive", seed };
    const problem = rankProblem(scenario({ ...options, effort: "fast" }));
    const scratch = ranks.map((rank) => cold(problem, rank, "default").distortion);
    const bestGap = Math.min(...ranks.map((rank, i) => problem.boundAt(rank, scratch[i]).gap));
    for (const { effort, ratios, gaps } of found) {
      const { byRank } = solve({ ...options, effort });
      ratios.push(...ranks.map((rank, i) => byRank[rank - 1].distortion / scratch[i]));
      gaps.push(Math.min(...ranks.map((rank) => byRank[rank - 1].gap)) / bestGap);
    }
  }
  return found.map(({ effort, ratios, gaps }) => ({
    M: subcarriers,
    effort,
    "SNR dB": snrDb,
    "omega excess, median": percent(median(ratios)),
    most: percent(Math.max(...ratios)),
    least: percent(Math.min(...ratios)),
    "gap / best from scratch, median": percent(median(gaps)),
    "most ": percent(Math.max(...gaps)),
  }));
}

export async function run({ quick = false } = {}) {
  const table = [];
  for (const effort of quick ? ["fast"] : ["fast", "default"]) {
    for (const snrDb of [0, 10, 20]) table.push(times(snrDb, effort, effort === "fast" && !quick ? 5 : 1));
  }
  console.table(table);
  const ranks = quick ? [1, 8, 32] : [1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 28, 32];
  const rows = [];
  for (const snrDb of [0, 10, 20]) rows.push(...quality(4, snrDb, ranks, quick ? 1 : 5));
  console.table(rows);
  return { table, rows };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await run({ quick: process.argv.includes("--quick") });
}
