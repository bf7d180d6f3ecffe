/**
 * One aggregation over the air of large gradients: the time of `aggregate`, of its parts where they can be told from
 * outside, and per entry. A random receive beam with the transmit beams that fit it: the values of the beamformers do
 * not matter for the time. Run `npm run build` first.
 */
import { pathToFileURL } from "node:url";
import { designBeamformers, overTheAirLink, rayleighChannel } from "../dist/aircomp.js";
import { randomStream } from "../dist/core.js";
import { median, timed } from "./support.mjs";

const shape = { devices: 10, subcarriers: 64, receiveAntennas: 16, transmitAntennas: 4, taps: 8 };
const streams = 4;

/** Gradients with a common part, as those of devices that learn the same model have. */
function gradients(entries, Kind) {
  const common = randomStream(1, "common");
  const shared = Float64Array.from({ length: entries }, () => common.normal());
  return Array.from({ length: shape.devices }, (_, k) => {
    const own = randomStream(1, "own", k);
    return Kind.from(shared, (x) => 1e-3 * (x + own.normal()));
  });
}

export async function run({ quick = false } = {}) {
  const entries = quick ? 100_000 : 1_000_000;
  const repetitions = quick ? 3 : 7;
  const channel = rayleighChannel({ ...shape, seed: 1 });
  const power = 10 * shape.subcarriers;
  const problem = { channel, streams, power, noiseVariance: 1, certificate: false };
  const table = [];
  for (const scheme of ["random", "ideal"]) {
    const design = designBeamformers({ ...problem, scheme, seed: 1 });
    const [link, openTime] = timed(() => overTheAirLink({ channel, design, noiseVariance: 1 }));
    for (const Kind of [Float32Array, Float64Array]) {
      const list = gradients(entries, Kind);
      link.aggregate(list, 0); // compiles
      const times = Array.from(
        { length: repetitions },
        (_, seed) => timed(() => link.aggregate(list, seed + 1))[1],
      );
      table.push({
        design: scheme === "ideal" ? "ideal (packing and R alone)" : "analog",
        gradients: Kind.name,
        entries,
        "open ms": openTime.toFixed(0),
        "median ms": median(times).toFixed(0),
        "least ms": Math.min(...times).toFixed(0),
        "ns per entry": ((1e6 * median(times)) / entries).toFixed(0),
      });
    }
  }
  console.table(table);
  return { table };
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await run({ quick: process.argv.includes("--quick") });
}
