import { InputError } from "../errors.ts";
import { addVariable, type ComplexArchive, type RefusedVariable } from "./archive.ts";
import { type ComplexArray, checkShape, entryCount, rowMajorFrom } from "./complex-array.ts";
import {
  damagedMat,
  inflateElement,
  type MatBytes,
  type MatElement,
  matBytes,
  miCompressed,
  miInt8,
  miInt32,
  miMatrix,
  miUint32,
  numberStorage,
  readElement,
  readNumbers,
} from "./mat-element.ts";

const headerSize = 128;
const complexFlag = 0x08;
const firstNumericClass = 6;
const lastNumericClass = 15;
const opaqueClass = 17;
/** What an array class that holds no numbers is called; double, single and the integers are 6 to 15. */
const classNames: Readonly<Record<number, string>> = {
  1: "cell array",
  2: "struct",
  3: "object",
  4: "char array",
  5: "sparse array",
  16: "function handle",
  17: "object",
};
const latin1 = new TextDecoder("latin1");

/**
 * Reads a MATLAB v5 .mat file (`save -v6` or `save -v7`), of either byte order, compressed or not. Complex arrays
 * of any numeric class and rank become row-major; everything else is kept as the reason why it is refused.
 * MATLAB drops trailing extents of 1, and a vector has two axes.
 *
 * Format: MathWorks, "MAT-File Format", R2019b, chapter 1, level 5.
 * @throws InputError on `field` for v4 and v7.3 files, and for truncated or damaged ones.
 */
export function decodeMat(bytes: Uint8Array, field: string): ComplexArchive {
  const source = matBytes(bytes, checkFileHeader(bytes, field), field);
  const archive = new Map<string, ComplexArray | RefusedVariable>();
  for (let at = headerSize; at < bytes.length; ) {
    const element = readElement(source, at, bytes.length);
    at = element.next;
    const variable =
      element.type === miCompressed ? readCompressed(source, element) : readMatrix(source, element);
    // Elements without a name belong to MATLAB itself: the data behind its function handles and objects.
    if (variable.name !== "") addVariable(archive, variable.name, variable.entry, field);
  }
  return archive;
}

/** True for a little-endian file. The two characters MI are written as one 16-bit number, so they show the order. */
function checkFileHeader(bytes: Uint8Array, field: string): boolean {
  const advice = "a MATLAB v5 file: save with -v7";
  const title = latin1.decode(bytes.subarray(0, 116));
  if (title.startsWith("\x89HDF\r\n\x1a\n") || title.startsWith("MATLAB 7.3")) {
    throw new InputError(field, "a MATLAB v7.3 (HDF5) file", advice);
  }
  const mark = latin1.decode(bytes.subarray(126, headerSize));
  if (mark !== "IM" && mark !== "MI") {
    const isOld = bytes.length >= 20 && bytes.subarray(0, 4).includes(0);
    throw new InputError(field, isOld ? "a MATLAB v4 file" : "bytes that are not of a .mat file", advice);
  }
  const version = mark === "IM" ? bytes[125]! : bytes[124]!;
  if (version === 2) throw new InputError(field, "a MATLAB v7.3 (HDF5) file", advice);
  if (version !== 1) throw new InputError(field, `a .mat file of version ${version}`, advice);
  return mark === "IM";
}

interface Variable {
  readonly name: string;
  readonly entry: ComplexArray | RefusedVariable;
}

function readCompressed(source: MatBytes, element: MatElement): Variable {
  const inner = inflateElement(source, element);
  return readMatrix(inner, readElement(inner, 0, inner.bytes.length));
}

/** One variable: array flags, extents, name, real part, imaginary part, each an element of its own. */
function readMatrix(source: MatBytes, matrix: MatElement): Variable {
  const { bytes, view, little, field } = source;
  if (matrix.type !== miMatrix)
    throw damagedMat(field, `an element of type ${matrix.type} in place of a variable`);
  let at = matrix.start;
  const next = (types: readonly number[] | undefined, what: string): MatElement => {
    const element = readElement(source, at, matrix.end);
    if (types !== undefined && !types.includes(element.type))
      throw damagedMat(field, `${what} of a wrong type`);
    at = element.next;
    return element;
  };
  // MATLAB marks a variable that is not there by an element without content.
  if (matrix.start === matrix.end) return { name: "", entry: refused("nothing") };
  const flags = next([miUint32], "array flags");
  if (flags.end - flags.start !== 8) throw damagedMat(field, "damaged array flags");
  const word = view.getUint32(flags.start, little);
  const arrayClass = word & 0xff;
  const extents = arrayClass === opaqueClass ? undefined : next([miInt32, miUint32], "extents");
  const nameBytes = next([miInt8], "a name");
  const name = latin1.decode(bytes.subarray(nameBytes.start, nameBytes.end));
  if (arrayClass < firstNumericClass || arrayClass > lastNumericClass || extents === undefined) {
    const className = classNames[arrayClass];
    if (className === undefined) throw damagedMat(field, `an array of unknown class ${arrayClass}`);
    return { name, entry: refused(`a MATLAB ${className}`) };
  }
  if (((word >>> 8) & complexFlag) === 0) {
    return { name, entry: { found: "a real MATLAB array", expected: "a complex array: save complex(x)" } };
  }
  const shape = readShape(source, extents);
  const count = entryCount(shape);
  if (count === 0) return { name, entry: { shape, data: new Float64Array(0) } };
  const re = next(undefined, "a real part");
  const im = next(undefined, "an imaginary part");
  for (const part of [re, im]) numberStorage(part, count, field);
  const data = new Float64Array(2 * count);
  readNumbers(source, re, data, 0);
  readNumbers(source, im, data, 1);
  return { name, entry: { shape, data: rowMajorFrom(data, shape) } };
}

function readShape({ view, little, field }: MatBytes, { start, end }: MatElement): number[] {
  if ((end - start) % 4 !== 0 || end - start < 8) throw damagedMat(field, "damaged extents");
  const shape: number[] = [];
  for (let at = start; at < end; at += 4) shape.push(view.getInt32(at, little));
  try {
    return checkShape(shape, field);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw damagedMat(field, `an array of ${shape.join(" x ")}`);
  }
}

function refused(found: string): RefusedVariable {
  return { found, expected: "a complex array" };
}
