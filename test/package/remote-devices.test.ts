import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import {
  aggregateOverTheAir,
  decode,
  designBeamformers,
  deviceBeamformers,
  type GradientStatistics,
  planRound,
  rayleighChannel,
  requiredPrefix,
  superposeSignals,
} from "../../src/aircomp/index.ts";

/** One device: knows its own gradient and beamformers, speaks JSON lines, and never sees the others. */
const device = `
import { createInterface } from "node:readline";
import { encode, gradientStatistics } from ${JSON.stringify(pathToFileURL(resolve("dist/aircomp.js")).href)};
const k = Number(process.argv[1]);
const gradient = Float64Array.from({ length: 100 }, (_, i) => Math.sin(1 + i * (k + 1)) + 0.1 * k);
console.log(JSON.stringify(gradientStatistics(gradient)));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(encode({ ...JSON.parse(line), gradient })));
}
`;
const gradients = [0, 1, 2].map((k) =>
  Float64Array.from({ length: 100 }, (_, i) => Math.sin(1 + i * (k + 1)) + 0.1 * k),
);

describe("devices in processes of their own", () => {
  it.each(["subcarrier", "time"] as const)("aggregate as in one process: level %s", async (level) => {
    const channel = rayleighChannel({
      devices: 3,
      subcarriers: 6,
      receiveAntennas: 3,
      transmitAntennas: 2,
      taps: 3,
      seed: 1,
    });
    const noiseVariance = 0.1;
    const design = designBeamformers({ channel, streams: 2, power: 6, noiseVariance, effort: "fast" });
    const processes = gradients.map((_, k) => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", device, String(k)], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      child.stdout.setEncoding("utf8");
      const lines = child.stdout.iterator() as AsyncIterableIterator<string>;
      let rest = "";
      const read = async (): Promise<unknown> => {
        while (!rest.includes("\n")) {
          const { value, done } = await lines.next();
          if (done === true) throw new Error("the device ended");
          rest += value;
        }
        const end = rest.indexOf("\n");
        const line = rest.slice(0, end);
        rest = rest.slice(end + 1);
        return JSON.parse(line);
      };
      return { child, read };
    });
    try {
      const statistics = await Promise.all(
        processes.map(({ read }) => read() as Promise<GradientStatistics>),
      );
      const plan = planRound({
        statistics,
        design,
        seed: 7,
        ...(level === "time" ? { level, prefix: requiredPrefix(channel) } : {}),
      });
      const signals = await Promise.all(
        processes.map(({ child, read }, k) => {
          child.stdin.write(`${JSON.stringify({ plan, transmit: deviceBeamformers(design, k) })}\n`);
          return read() as Promise<{ shape: number[]; re: number[]; im: number[] }>;
        }),
      );
      const received = superposeSignals({ plan, signals, channel, noiseVariance });
      const estimate = decode({ plan, received, receive: design.receive });
      const whole = aggregateOverTheAir({ gradients, channel, design, noiseVariance, seed: 7, level });
      const size = Math.hypot(...whole.estimate);
      expect(Math.hypot(...estimate.map((x, i) => x - whole.estimate[i]!))).toBeLessThanOrEqual(1e-12 * size);
    } finally {
      for (const { child } of processes) child.stdin.end();
    }
  });
});
