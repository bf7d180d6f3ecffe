/** The two checksums that fflate leaves unchecked: without them a flipped bit in a file would be read as a number. */

/** CRC-32 of a zip entry, as an unsigned 32-bit number. */
export function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) crc = crcTable[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Adler-32 of a zlib stream, as an unsigned 32-bit number. */
export function adler32(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (let start = 0; start < bytes.length; start += adlerBlock) {
    const end = Math.min(start + adlerBlock, bytes.length);
    for (let i = start; i < end; i++) high += low += bytes[i]!;
    low %= 65521;
    high %= 65521;
  }
  return ((high << 16) | low) >>> 0;
}

/** As many bytes as can be summed before the sums must be reduced to stay exact in 32 bits. */
const adlerBlock = 2048;

const crcTable: Int32Array = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
