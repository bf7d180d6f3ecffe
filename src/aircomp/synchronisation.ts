import { checkInteger, checkNumber, checkNumbers, InputError, randomStream } from "../core/index.ts";

/** How badly the devices are synchronised with the server. Nothing given: perfectly. */
export interface SynchronisationOptions {
  /** Delay of each device in whole samples, from -M (early) to M (late). */
  readonly timingOffsets?: readonly number[];
  /** Instead: delays drawn uniformly from 0 to this number of samples, for every device and round. */
  readonly maxTimingOffset?: number;
  /** Phase of each device's carrier in radians. */
  readonly phaseOffsets?: readonly number[];
  /** Instead: phases drawn from a normal distribution of this standard deviation in radians, for every device and round. */
  readonly phaseRms?: number;
  /** Carrier frequency offset of each device in subcarrier spacings, -0.5 to 0.5. */
  readonly frequencyOffsets?: readonly number[];
}

export const synchronisationNames = [
  "timingOffsets",
  "maxTimingOffset",
  "phaseOffsets",
  "phaseRms",
  "frequencyOffsets",
] as const;

/** The errors of one device in one round. */
export interface SynchronisationError {
  /** Whole samples; positive: late. */
  readonly delay: number;
  /** Radians, at the first sample of the round. */
  readonly phase: number;
  /** Subcarrier spacings. */
  readonly frequency: number;
}

/** @throws InputError naming the option that is out of range, or given twice. */
export function checkSynchronisation(
  options: SynchronisationOptions,
  devices: number,
  subcarriers: number,
  field: string,
): void {
  const { timingOffsets, maxTimingOffset, phaseOffsets, phaseRms, frequencyOffsets } = options;
  if (timingOffsets !== undefined) {
    if (maxTimingOffset !== undefined) throw givenTwice(`${field}.maxTimingOffset`, "timingOffsets");
    const list = checkNumbers(timingOffsets, `${field}.timingOffsets`, devices);
    for (let k = 0; k < devices; k++) {
      checkInteger(list[k], `${field}.timingOffsets[${k}]`, -subcarriers, subcarriers);
    }
  }
  if (maxTimingOffset !== undefined) {
    checkInteger(maxTimingOffset, `${field}.maxTimingOffset`, 0, subcarriers);
  }
  if (phaseOffsets !== undefined) {
    if (phaseRms !== undefined) throw givenTwice(`${field}.phaseRms`, "phaseOffsets");
    checkNumbers(phaseOffsets, `${field}.phaseOffsets`, devices, -1e6, 1e6);
  }
  if (phaseRms !== undefined) checkNumber(phaseRms, `${field}.phaseRms`, 0, 1e6);
  if (frequencyOffsets !== undefined) {
    checkNumbers(frequencyOffsets, `${field}.frequencyOffsets`, devices, -0.5, 0.5);
  }
}

function givenTwice(field: string, other: string): InputError {
  return new InputError(field, `a value next to ${other}`, "one of the two");
}

/**
 * The errors of all devices in a round. What is drawn depends on the seed of the round and the number of the device only.
 *
 * @param options checked
 */
export function drawSynchronisation(
  options: SynchronisationOptions,
  devices: number,
  seed: number,
): SynchronisationError[] {
  const { timingOffsets, maxTimingOffset = 0, phaseOffsets, phaseRms = 0, frequencyOffsets } = options;
  return Array.from({ length: devices }, (_, k) => ({
    delay:
      timingOffsets?.[k] ??
      (maxTimingOffset > 0 ? randomStream(seed, "timing", k).integer(maxTimingOffset + 1) : 0),
    phase: phaseOffsets?.[k] ?? (phaseRms > 0 ? phaseRms * randomStream(seed, "phase", k).normal() : 0),
    frequency: frequencyOffsets?.[k] ?? 0,
  }));
}

/** Whether two rounds of these options differ in their errors. */
export function isDrawn({ maxTimingOffset = 0, phaseRms = 0 }: SynchronisationOptions): boolean {
  return maxTimingOffset > 0 || phaseRms > 0;
}

/**
 * Turns the carrier of one device in place: x[t] exp(i phase + 2 pi i frequency t / M), t from the first sample of
 * the round.
 *
 * @param samples [count, antennas]
 */
export function rotateCarrier(
  samples: Float64Array,
  antennas: number,
  { phase, frequency }: SynchronisationError,
  subcarriers: number,
): void {
  if (phase === 0 && frequency === 0) return;
  const rate = (2 * Math.PI * frequency) / subcarriers;
  const width = 2 * antennas;
  for (let t = 0, i = 0; i < samples.length; t++) {
    const angle = phase + rate * t;
    const c = Math.cos(angle);
    const s = Math.sin(angle);
    for (const end = i + width; i < end; i += 2) {
      const re = samples[i]!;
      const im = samples[i + 1]!;
      samples[i] = c * re - s * im;
      samples[i + 1] = c * im + s * re;
    }
  }
}
