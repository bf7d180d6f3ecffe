import { deflateSync } from "node:zlib";

/** Storage types of the format, by the names the specification gives them. */
export const storageTypes = {
  miINT8: [1, 1],
  miUINT8: [2, 1],
  miINT16: [3, 2],
  miUINT16: [4, 2],
  miINT32: [5, 4],
  miUINT32: [6, 4],
  miSINGLE: [7, 4],
  miDOUBLE: [9, 8],
  miINT64: [12, 8],
  miUINT64: [13, 8],
} as const;

export type StorageType = keyof typeof storageTypes;

export interface MatVariable {
  name: string;
  shape: readonly number[];
  /** Numbers in column-major order. */
  re: readonly number[];
  im?: readonly number[];
  arrayClass?: number;
  storage?: StorageType;
  imStorage?: StorageType;
}

export interface MatOptions {
  little?: boolean;
  compressed?: boolean;
  version?: number;
}

/** A MATLAB v5 file, written after the specification and not after the reader under test. */
export function writeMat(variables: readonly MatVariable[], options: MatOptions = {}): Uint8Array {
  const { little = true, compressed = false, version = 0x0100 } = options;
  const header = new Uint8Array(128).fill(0x20, 0, 116);
  header.set(new TextEncoder().encode("MATLAB 5.0 MAT-file, written by a test"));
  const view = new DataView(header.buffer);
  view.setUint16(124, version, little);
  view.setUint16(126, 0x4d49, little);
  const parts = variables.map((variable) => {
    const matrix = matrixElement(variable, little);
    return compressed ? concat([tag(15, deflateSync(matrix).length, little), deflateSync(matrix)]) : matrix;
  });
  return concat([header, ...parts]);
}

function matrixElement(variable: MatVariable, little: boolean): Uint8Array {
  const { name, shape, re, im, arrayClass = 6, storage = "miDOUBLE" } = variable;
  const flags = (im === undefined ? 0 : 0x0800) | arrayClass;
  const body = [
    element("miUINT32", [flags, 0], little),
    element("miINT32", shape, little),
    element("miINT8", [...new TextEncoder().encode(name)], little),
    element(storage, re, little),
  ];
  if (im !== undefined) body.push(element(variable.imStorage ?? storage, im, little));
  const content = concat(body);
  return concat([tag(14, content.length, little), content]);
}

function element(type: StorageType, numbers: readonly number[], little: boolean): Uint8Array {
  const [code, size] = storageTypes[type];
  const length = size * numbers.length;
  const small = length > 0 && length <= 4;
  const padded = new Uint8Array(small ? 4 : Math.ceil(length / 8) * 8);
  const view = new DataView(padded.buffer);
  numbers.forEach((number, i) => {
    put(view, type, i * size, number, little);
  });
  if (!small) return concat([tag(code, length, little), padded]);
  const word = new Uint8Array(4);
  new DataView(word.buffer).setUint32(0, (length << 16) | code, little);
  return concat([word, padded]);
}

function put(view: DataView, type: StorageType, at: number, number: number, little: boolean): void {
  if (type === "miDOUBLE") view.setFloat64(at, number, little);
  else if (type === "miSINGLE") view.setFloat32(at, number, little);
  else if (type === "miINT64") view.setBigInt64(at, BigInt(number), little);
  else if (type === "miUINT64") view.setBigUint64(at, BigInt(number), little);
  else if (type === "miINT8" || type === "miUINT8") view.setUint8(at, number & 0xff);
  else if (type === "miINT16" || type === "miUINT16") view.setUint16(at, number & 0xffff, little);
  else view.setUint32(at, number >>> 0, little);
}

export function tag(type: number, length: number, little: boolean): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, little);
  view.setUint32(4, length, little);
  return bytes;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
