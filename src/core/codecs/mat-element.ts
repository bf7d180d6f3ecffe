import { Inflate } from "fflate";
import { InputError } from "../errors.ts";
import { adler32 } from "./checksums.ts";

/** The bytes of a .mat file, or of one inflated element of it, with their byte order. */
export interface MatBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly little: boolean;
  /** The argument to blame in errors. */
  readonly field: string;
}

/** One data element: its type, where its data lies, and where the next element begins. */
export interface MatElement {
  readonly type: number;
  readonly start: number;
  readonly end: number;
  readonly next: number;
}

export const miInt8 = 1;
export const miInt32 = 5;
export const miUint32 = 6;
export const miMatrix = 14;
export const miCompressed = 15;

type NumberReader = (view: DataView, at: number, little: boolean) => number;

/** Bytes per number, and how to read one, of each storage type. */
const storage: Readonly<Record<number, readonly [size: number, read: NumberReader]>> = {
  1: [1, (view, at) => view.getInt8(at)],
  2: [1, (view, at) => view.getUint8(at)],
  3: [2, (view, at, little) => view.getInt16(at, little)],
  4: [2, (view, at, little) => view.getUint16(at, little)],
  5: [4, (view, at, little) => view.getInt32(at, little)],
  6: [4, (view, at, little) => view.getUint32(at, little)],
  7: [4, (view, at, little) => view.getFloat32(at, little)],
  9: [8, (view, at, little) => view.getFloat64(at, little)],
  12: [8, (view, at, little) => Number(view.getBigInt64(at, little))],
  13: [8, (view, at, little) => Number(view.getBigUint64(at, little))],
};

/** Wraps bytes for reading. */
export function matBytes(bytes: Uint8Array, little: boolean, field: string): MatBytes {
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), little, field };
}

/** The error for bytes that break the format. */
export function damagedMat(field: string, what: string): InputError {
  return new InputError(field, `a .mat file with ${what}`, "a whole MATLAB v5 file, as save -v7 writes it");
}

/**
 * The element that begins at `at` and must end by `end`. Up to four bytes of data may sit inside the tag itself
 * (the small format); other elements are padded to eight bytes, compressed ones excepted.
 */
export function readElement({ view, little, field }: MatBytes, at: number, end: number): MatElement {
  if (at + 8 > end) throw damagedMat(field, "an element cut off");
  const word = view.getUint32(at, little);
  const smallLength = word >>> 16;
  if (smallLength > 4) throw damagedMat(field, "a small element of more than 4 bytes");
  if (smallLength > 0) return { type: word & 0xffff, start: at + 4, end: at + 4 + smallLength, next: at + 8 };
  const length = view.getUint32(at + 4, little);
  const start = at + 8;
  if (start + length > end) throw damagedMat(field, "an element cut off");
  const padding = word === miCompressed ? 0 : (8 - (length % 8)) % 8;
  return { type: word, start, end: start + length, next: Math.min(start + length + padding, end) };
}

/**
 * Reads `count` numbers into every second place of `out`, from `offset` on: MATLAB keeps real and imaginary parts
 * apart, each in the narrowest type that holds its numbers exactly. 64-bit integers become the nearest double.
 */
export function readNumbers(source: MatBytes, element: MatElement, out: Float64Array, offset: number): void {
  const { view, little, field } = source;
  const [size, read] = numberStorage(element, out.length / 2, field);
  const count = out.length / 2;
  for (let i = 0; i < count; i++) out[2 * i + offset] = read(view, element.start + i * size, little);
}

/** Refuses an element that does not hold exactly `count` numbers; call it before allocating room for them. */
export function numberStorage(
  element: MatElement,
  count: number,
  field: string,
): readonly [size: number, read: NumberReader] {
  const found = storage[element.type];
  if (found === undefined) throw damagedMat(field, `numbers of unknown type ${element.type}`);
  if (element.end - element.start !== count * found[0]) {
    throw damagedMat(
      field,
      `${element.end - element.start} bytes where ${count} numbers need ${count * found[0]}`,
    );
  }
  return found;
}

/** Largest element that is inflated: 2 GiB, more than MATLAB itself puts into a v7 file. */
const largestElement = 2 ** 31;
/** Compressed bytes handed over at a time. Each can become 1032, so a stream is found too long within 17 MB. */
const slice = 16384;
/** Bytes that may follow an element in its stream: padding. */
const slack = 8;

/**
 * Inflates a compressed element (a zlib stream holding one element), as far as the size its tag declares.
 * @throws InputError for a damaged stream, a wrong Adler-32, or a size over 2 GiB.
 */
export function inflateElement(source: MatBytes, { start, end }: MatElement): MatBytes {
  const { bytes, view, little, field } = source;
  const header = end - start < 6 ? 0 : view.getUint16(start, false);
  if ((header & 0x0f20) !== 0x0800 || header % 31 !== 0)
    throw damagedMat(field, "a damaged compressed element");
  const chunks: Uint8Array[] = [];
  let size = 0;
  const inflate = new Inflate((chunk) => {
    if ((size += chunk.length) > largestElement) throw damagedMat(field, "an element of more than 2 GiB");
    chunks.push(chunk);
  });
  try {
    for (let at = start + 2; at < end - 4; at += slice) {
      const last = at + slice >= end - 4;
      inflate.push(bytes.subarray(at, Math.min(at + slice, end - 4)), last);
      if (size >= 8 && size > 8 + declaredLength(chunks, little) + slack) {
        throw damagedMat(field, "a compressed element longer than it declares");
      }
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw damagedMat(field, "a damaged compressed element");
  }
  const inflated = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    inflated.set(chunk, at);
    at += chunk.length;
  }
  // The checksum closes a zlib stream, high byte first whatever the order of the file.
  if (adler32(inflated) !== view.getUint32(end - 4, false))
    throw damagedMat(field, "a damaged compressed element");
  return matBytes(inflated, little, field);
}

/** The length field of the first tag, once eight bytes are there. */
function declaredLength(chunks: readonly Uint8Array[], little: boolean): number {
  const tag = new Uint8Array(8);
  let filled = 0;
  for (const chunk of chunks) {
    tag.set(chunk.subarray(0, 8 - filled), filled);
    if ((filled += Math.min(chunk.length, 8 - filled)) === 8) break;
  }
  return new DataView(tag.buffer).getUint32(4, little);
}
