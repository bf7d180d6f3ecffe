import { inflateSync } from "fflate";
import { InputError } from "../errors.ts";
import { crc32 } from "./checksums.ts";

/** Deflate cannot shrink more than this, so an entry that claims to is damaged or a bomb. */
const largestRatio = 1032;
const endSize = 22;
const longestComment = 65535;
const utf8 = new TextDecoder();

/**
 * The entries of a zip archive, stored or deflated, by name in the order of the central directory.
 * The directory is read here, and only the inflating left to fflate: its `unzipSync` allocates what a damaged
 * header asks for and does not compare the CRC-32 of what it has read.
 * @throws InputError on `field` for anything but a whole, unencrypted archive below 4 GiB.
 */
export function readZip(bytes: Uint8Array, field: string): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view, field);
  const count = view.getUint16(end + 10, true);
  const entries = new Map<string, Uint8Array>();
  let at = view.getUint32(end + 16, true);
  if (count === 0xffff || at === 0xffffffff)
    throw new InputError(field, "a zip64 archive", "a zip archive below 4 GiB");
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== 0x02014b50) throw damaged(field, "directory");
    const nameLength = view.getUint16(at + 28, true);
    const next = at + 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw damaged(field, "directory");
    const name = utf8.decode(bytes.subarray(at + 46, at + 46 + nameLength));
    if (entries.has(name)) throw new InputError(field, `two zip entries named "${name}"`, "each name once");
    entries.set(name, readEntry(bytes, view, at, name, field));
    at = next;
  }
  return entries;
}

/** Offset of the end record: it is the last thing in the file but for a comment. */
function findEnd(view: DataView, field: string): number {
  const last = view.byteLength - endSize;
  for (let at = last; at >= Math.max(0, last - longestComment); at--) {
    if (
      view.getUint32(at, true) === 0x06054b50 &&
      at + endSize + view.getUint16(at + 20, true) === view.byteLength
    ) {
      return at;
    }
  }
  throw new InputError(
    field,
    "bytes that are not of a whole zip archive",
    "a .npz file as numpy.savez writes it",
  );
}

function readEntry(bytes: Uint8Array, view: DataView, at: number, name: string, field: string): Uint8Array {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  const crc = view.getUint32(at + 16, true);
  const packedSize = view.getUint32(at + 20, true);
  const size = view.getUint32(at + 24, true);
  const local = view.getUint32(at + 42, true);
  const what = `entry "${name}"`;
  if ((flags & 1) !== 0)
    throw new InputError(field, `an encrypted zip ${what}`, "an entry without a password");
  if (method !== 0 && method !== 8) {
    throw new InputError(field, `zip compression method ${method} in ${what}`, "stored or deflated entries");
  }
  if (local + 30 > bytes.length || view.getUint32(local, true) !== 0x04034b50) throw damaged(field, what);
  const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + packedSize > bytes.length) throw damaged(field, what);
  const packed = bytes.subarray(start, start + packedSize);
  if (method === 0 ? size !== packedSize : size > largestRatio * packedSize) throw damaged(field, what);
  const content = method === 0 ? packed : inflate(packed, size, field, what);
  if (content.length !== size || crc32(content) !== crc) throw damaged(field, what);
  return content;
}

function inflate(packed: Uint8Array, size: number, field: string, what: string): Uint8Array {
  if (size === 0) return new Uint8Array(0);
  try {
    return inflateSync(packed, { out: new Uint8Array(size) });
  } catch {
    throw damaged(field, what);
  }
}

function damaged(field: string, what: string): InputError {
  return new InputError(
    field,
    `a zip archive with a damaged ${what}`,
    "a .npz file as numpy.savez writes it",
  );
}
