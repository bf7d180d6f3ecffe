/**
 * Aggregation over the air for a training stack in another language: node link.mjs problem.json, with a problem as
 * `airfold beamform` takes it. A request on standard input is a line of JSON, { devices, entries, seed }, and after it
 * devices x entries float32 numbers (little endian); the answer on standard output is a line of JSON with what the aggregate
 * reports, and after it the estimate as float64 numbers. It ends with the input, or with code 2 and a line on standard
 * error where something is wrong.
 */
import { readFileSync } from "node:fs";
import { beamformOptions, designBeamformers, overTheAirLink } from "airfold/aircomp";

/** Nobody sends a longer line. */
const longestHeader = 10_000;

try {
  const path = process.argv[2];
  if (path === undefined) throw new Error("argument: found nothing, expected the file of a problem");
  const options = beamformOptions(JSON.parse(readFileSync(path, "utf8")));
  const { channel, noiseVariance } = options;
  const link = overTheAirLink({ channel, noiseVariance, design: designBeamformers(options) });
  const read = reader(process.stdin);
  for (;;) {
    const header = await read.line();
    if (header === undefined) break;
    const { devices, entries, seed } = JSON.parse(header);
    if (devices !== channel.devices || !Number.isInteger(entries) || entries < 1) {
      throw new Error(`request: found ${header}, expected ${channel.devices} devices and at least one entry`);
    }
    const bytes = await read.bytes(4 * devices * entries);
    const numbers = new Float32Array(bytes.buffer);
    const gradients = Array.from({ length: devices }, (_, k) =>
      numbers.subarray(k * entries, (k + 1) * entries),
    );
    const { estimate, ...report } = link.aggregate(gradients, seed);
    process.stdout.write(`${JSON.stringify(report)}\n`);
    process.stdout.write(new Uint8Array(estimate.buffer));
  }
} catch (error) {
  process.stderr.write(`${error.message.split("\n")[0]}\n`);
  process.exitCode = 2;
  process.stdin.destroy();
}

/** Lines and bytes of a stream in turn. */
function reader(stream) {
  const chunks = stream[Symbol.asyncIterator]();
  let held = Buffer.alloc(0);
  const more = async () => {
    const { value, done } = await chunks.next();
    if (!done) held = Buffer.concat([held, value]);
    return !done;
  };
  return {
    /** The next line, or undefined at the end. */
    async line() {
      for (;;) {
        const end = held.indexOf(10);
        if (end >= 0) {
          const line = held.toString("utf8", 0, end);
          held = held.subarray(end + 1);
          return line;
        }
        if (held.length > longestHeader)
          throw new Error("request: found a line that does not end, expected JSON");
        if (!(await more())) {
          if (held.length > 0) throw new Error("request: found the end of the input within a line");
          return undefined;
        }
      }
    },
    /** The next bytes, in a buffer of their own. */
    async bytes(count) {
      const result = new Uint8Array(count);
      let filled = 0;
      for (;;) {
        const part = held.subarray(0, count - filled);
        result.set(part, filled);
        filled += part.length;
        held = held.subarray(part.length);
        if (filled === count) return result;
        if (!(await more())) {
          throw new Error(`request: found ${filled} bytes of gradients, expected ${count}`);
        }
      }
    },
  };
}
