/**
 * Aggregation over the air for a training stack in another language: node link.mjs problem.json, with a problem as
 * `airfold beamform` takes it. The first line on standard output, once the beamformers are designed, is
 * { ready: true, devices, weights, distortion }. A request on standard input is a line of JSON, { devices, entries, seed }, and after
 * it devices x entries float32 numbers (little endian). The answer is a line of JSON with what the aggregate reports, and after it the
 * estimate as `entries` float64 numbers; or, for a request that cannot be served (NaN, another number of devices), the
 * line { error } alone, and the link goes on. It ends with the input, or with code 2 and a line on standard error where the
 * problem is wrong or the input is no request at all.
 */
import { readFileSync } from "node:fs";

/** Nobody sends a longer line. */
const longestHeader = 10_000;
/** devices x entries of a request, 1 GiB: a size beyond is a slip, and nothing is allocated for it. */
const mostNumbers = 2 ** 28;

// whoever asked is gone
process.stdout.on("error", () => process.exit(2));

try {
  const { beamformOptions, designBeamformers, overTheAirLink } = await loadAirfold();
  const options = beamformOptions(readProblem(process.argv[2]));
  const { channel, noiseVariance } = options;
  // nobody asks for the lower bound, which takes the longest
  const design = designBeamformers({ ...options, certificate: false });
  const link = overTheAirLink({ channel, noiseVariance, design });
  const { weights, distortion } = design;
  answer({ ready: true, devices: channel.devices, weights, distortion });
  const read = reader(process.stdin);
  for (;;) {
    const line = await read.line();
    if (line === undefined) break;
    const { devices, entries, seed } = checkHeader(line);
    const bytes = await read.bytes(4 * devices * entries);
    serve(link, devices, entries, new Float32Array(bytes.buffer), seed);
  }
} catch (error) {
  process.stderr.write(`${firstLine(error)}\n`);
  process.exitCode = 2;
  process.stdin.destroy();
}

/** The build of this project's folder; where this file was copied away, the package that is installed there. */
async function loadAirfold() {
  const notFound = (error) => {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
  };
  const library =
    (await import("../../dist/aircomp.js").catch(notFound)) ??
    (await import("airfold/aircomp").catch(notFound));
  if (library !== undefined) return library;
  throw new Error("airfold is not built: run npm ci && npm run build in the project's folder");
}

function readProblem(path) {
  if (path === undefined) throw new Error("argument: found nothing, expected the file of a problem");
  const text = readFileSync(path, "utf8");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${path}: ${firstLine(error)}`);
  }
}

/** Only what decides how many bytes follow: all else is answered. @throws Error where that cannot be told. */
function checkHeader(line) {
  let header;
  try {
    header = JSON.parse(line);
  } catch {
    header = undefined;
  }
  const { devices, entries } = header ?? {};
  const isSize = (value) => Number.isSafeInteger(value) && value >= 0 && value <= mostNumbers;
  if (isSize(devices) && isSize(entries) && devices * entries <= mostNumbers) return header;
  const found = line.length > 100 ? `${line.slice(0, 97)}...` : line;
  throw new Error(
    `request: found ${found}, expected { devices, entries, seed } with at most ${mostNumbers} numbers in all`,
  );
}

function serve(link, devices, entries, numbers, seed) {
  const gradients = Array.from({ length: devices }, (_, k) =>
    numbers.subarray(k * entries, (k + 1) * entries),
  );
  let aggregate;
  try {
    aggregate = link.aggregate(gradients, seed);
  } catch (error) {
    answer({ error: firstLine(error) });
    return;
  }
  const { estimate, ...report } = aggregate;
  answer(report);
  process.stdout.write(new Uint8Array(estimate.buffer));
}

function answer(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function firstLine(error) {
  return error.message.split("\n")[0];
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
          if (held.length > 0)
            throw new Error("request: found the end of the input within a line, expected JSON");
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
