import { parse } from "npyjs";
import { InputError } from "../errors.ts";
import {
  type ComplexArray,
  checkComplexArray,
  checkShape,
  entryCount,
  rowMajorFrom,
} from "./complex-array.ts";

const magic = "\x93NUMPY";
const complexTypes = ["<c16", ">c16", "<c8", ">c8"];
/** NumPy leaves room to grow the first extent to this many digits in place; the same bytes are written here. */
const growthDigits = 21;
const text = new TextDecoder("latin1");

/**
 * Reads a NumPy .npy file (format 1.0 to 3.0) of complex128 or complex64, of either byte order, in C or Fortran
 * order. Entries are kept bit for bit; complex64 is widened.
 *
 * npyjs reads the header and the numbers. It is given a copy in which what it cannot do is already done: numbers
 * aligned to eight bytes and little-endian. Types it must not see are refused before (it never returns from `<U0`).
 * @throws InputError on `field` for anything else: a real type, a structure, a truncated or damaged file.
 */
export function decodeNpy(bytes: Uint8Array, field: string): ComplexArray {
  const { header, payload } = splitFrame(bytes, field);
  const type = checkHeader(header, field);
  const little = payload.slice();
  if (type[0] === ">") swapBytes(little, type === ">c8" ? 4 : 8);
  const { shape, data, fortranOrder } = parseAligned(
    header.replace(`'${type}'`, `'<${type.slice(1)}'`),
    little,
    field,
  );
  const checked = checkHeaderShape(shape, field);
  const found = data.length / 2;
  if (found !== entryCount(checked) || payload.length !== data.byteLength) {
    const size = data.BYTES_PER_ELEMENT * 2 * entryCount(checked);
    throw new InputError(
      field,
      `${payload.length} bytes of entries`,
      `${size} bytes for a ${type} array of shape (${checked.join(", ")}); is the file truncated?`,
    );
  }
  const wide = new Float64Array(data);
  return { shape: checked, data: fortranOrder ? rowMajorFrom(wide, checked) : wide };
}

/**
 * Writes a NumPy .npy file, format 1.0, complex128 little-endian in C order: the bytes of `numpy.save`.
 * The header is written here and not by npyjs `dump`, which pads to 8 bytes where the format asks for 64.
 * @throws InputError if shape and data disagree.
 */
export function encodeNpy(array: ComplexArray): Uint8Array {
  const { shape, data } = checkComplexArray(array, "array");
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const growth = shape.length === 0 ? 0 : Math.max(0, growthDigits - String(shape[0]).length);
  const dict = `{'descr': '<c16', 'fortran_order': False, 'shape': ${tuple}, }${" ".repeat(growth)}`;
  const total = Math.ceil((magic.length + 4 + dict.length + 1) / 64) * 64;
  const bytes = new Uint8Array(total + data.byteLength);
  const view = new DataView(bytes.buffer);
  const head = `${magic}\x01\x00\x00\x00${dict}`.padEnd(total - 1, " ").concat("\n");
  for (let i = 0; i < total; i++) bytes[i] = head.charCodeAt(i);
  view.setUint16(8, total - 10, true);
  for (let i = 0; i < data.length; i++) view.setFloat64(total + 8 * i, data[i]!, true);
  return bytes;
}

/** Takes the file apart: the text of the header dictionary and the bytes of the entries (a view). */
function splitFrame(bytes: Uint8Array, field: string): { header: string; payload: Uint8Array } {
  if (bytes.length < 10 || text.decode(bytes.subarray(0, 6)) !== magic) {
    throw new InputError(field, "bytes that are not of a .npy file", "a .npy file as numpy.save writes it");
  }
  const major = bytes[6]!;
  if (major < 1 || major > 3) throw new InputError(field, `.npy format ${major}`, ".npy format 1, 2 or 3");
  const start = major === 1 ? 10 : 12;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length =
    bytes.length < start ? Number.NaN : major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (!(start + length <= bytes.length)) {
    throw new InputError(
      field,
      `a .npy file of ${bytes.length} bytes, cut off in its header`,
      "a whole .npy file",
    );
  }
  return {
    header: text.decode(bytes.subarray(start, start + length)),
    payload: bytes.subarray(start + length),
  };
}

/** The type string, of a header that names each of its three keys in NumPy's grammar: npyjs has a default for two. */
function checkHeader(header: string, field: string): string {
  const type = /'descr'\s*:\s*'([^']*)'/.exec(header)?.[1];
  if (type === undefined || !complexTypes.includes(type)) {
    const found = type === undefined ? "a .npy file of no simple type" : `a .npy array of type "${type}"`;
    throw new InputError(field, found, 'complex128 ("<c16"): save x.astype(numpy.complex128)');
  }
  if (!/'fortran_order'\s*:\s*(True|False)/.test(header) || !/'shape'\s*:\s*\([\d\s,]*\)/.test(header)) {
    throw damagedHeader(field);
  }
  return type;
}

function damagedHeader(field: string): InputError {
  return new InputError(field, "a .npy file with a damaged header", "a .npy file as numpy.save writes it");
}

interface Parsed {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
  readonly fortranOrder: boolean;
}

/** npyjs on an equivalent file of format 2.0 whose entries begin at a multiple of 64 and fill whole words. */
function parseAligned(header: string, payload: Uint8Array, field: string): Parsed {
  const start = Math.ceil((12 + header.length) / 64) * 64;
  const file = new Uint8Array(start + payload.length - (payload.length % 8)).fill(0x20, 12, start);
  const prefix = `${magic}\x02\x00`;
  for (let i = 0; i < prefix.length; i++) file[i] = prefix.charCodeAt(i);
  for (let i = 0; i < header.length; i++) file[12 + i] = header.charCodeAt(i);
  new DataView(file.buffer).setUint32(8, start - 12, true);
  file.set(payload.subarray(0, file.length - start), start);
  try {
    const { data, shape, fortranOrder } = parse(file.buffer);
    if (data instanceof Float64Array || data instanceof Float32Array) return { data, shape, fortranOrder };
  } catch {
    // Told below: npyjs throws plain errors of many kinds.
  }
  throw damagedHeader(field);
}

/** The shape, with the file to blame. */
function checkHeaderShape(shape: readonly number[], field: string): number[] {
  try {
    return checkShape(shape, field);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(
      field,
      `a .npy shape of (${shape.join(", ")})`,
      "whole numbers >= 0, at most 2^27 entries",
    );
  }
}

function swapBytes(bytes: Uint8Array, width: number): void {
  for (let start = 0; start + width <= bytes.length; start += width)
    bytes.subarray(start, start + width).reverse();
}
