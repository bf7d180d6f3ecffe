/**
 * Weights in a file: 4 bytes with the length of the header (little endian), the header as JSON, { name, shape } by name
 * and settings, then all numbers as float16 (little endian) in the order of the header. float16 has 11 bits: the error
 * of a weight is at most 2^-11 of it (2^-25 for weights below 6e-5).
 */
import { readFileSync } from "node:fs";

/** The committed base. */
const baseWeights = new URL("./base.bin", import.meta.url);

/**
 * @param weights Map of { shape, data } by name
 * @param note anything to be told about the weights, as JSON
 * @returns Uint8Array
 */
export function saveWeights(weights, note = {}) {
  const entries = [...weights].map(([name, { shape }]) => ({ name, shape }));
  const header = new TextEncoder().encode(JSON.stringify({ note, weights: entries }));
  const count = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  const bytes = new Uint8Array(4 + header.length + 2 * count);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, header.length, true);
  bytes.set(header, 4);
  let at = 4 + header.length;
  for (const { data } of weights.values()) {
    for (const value of data) {
      view.setUint16(at, toHalf(value), true);
      at += 2;
    }
  }
  return bytes;
}

/** Map of { shape, data: Float32Array } by name, from a file or from the bytes of one. */
export function loadWeights(source = baseWeights) {
  const bytes = source instanceof Uint8Array ? source : readFileSync(source);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  const { weights } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let at = 4 + length;
  const map = new Map();
  for (const { name, shape } of weights) {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    for (let i = 0; i < data.length; i++) {
      data[i] = fromHalf(view.getUint16(at, true));
      at += 2;
    }
    map.set(name, { shape, data });
  }
  return map;
}

/** IEEE 754 binary16, round to nearest even; above 65504 the largest. */
function toHalf(value) {
  const sign = value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65504) return sign | 0x7bff;
  // the exponent is at least that of the smallest normal number: below it the spacing stays 2^-24
  const exponent = Math.max(size === 0 ? -14 : Math.floor(Math.log2(size)), -14);
  const steps = roundToEven(size / 2 ** (exponent - 10));
  // steps >= 1024 carries the leading bit of a normal number into the exponent field
  return sign | (((exponent + 14) << 10) + steps);
}

function fromHalf(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -size : size;
}

function roundToEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
