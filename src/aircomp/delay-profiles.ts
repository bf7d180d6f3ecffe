import { checkInteger, checkNumber, checkPositive, describe, InputError } from "../core/index.ts";

/**
 * Power of each channel tap. `exponential`: p_l proportional to exp(-l / delaySpread) with the delay spread in
 * taps (one tap is one sample, 1/bandwidth); `uniform`: equal powers; `tdl-a`, `tdl-b`, `tdl-c`: 3GPP TR 38.901
 * tables 7.7.2-1 to 7.7.2-3 with the rms delay spread in taps; or the powers themselves.
 */
export type DelayProfile = "exponential" | "uniform" | "tdl-a" | "tdl-b" | "tdl-c" | readonly number[];

export const delayProfileNames = ["exponential", "uniform", "tdl-a", "tdl-b", "tdl-c"] as const;

/**
 * Tap powers p_l, l = 0..taps-1, summing to 1. The clusters of the TDL profiles fall on the nearest sample;
 * powers that fall on the same sample add up, and clusters beyond the last tap are left out before the powers
 * are scaled to sum 1 (this is what a receiver of that many taps sees; use more taps to keep them).
 *
 * @param taps number of taps, >= 1
 * @param delaySpread in taps (samples), > 0; not used by `uniform` and by given powers
 * @throws InputError on an unknown profile, or given powers that are negative, all zero or of the wrong count.
 */
export function tapPowers(profile: DelayProfile, taps: number, delaySpread: number): Float64Array {
  checkInteger(taps, "taps", 1, 65536);
  const powers = new Float64Array(taps);
  if (Array.isArray(profile)) {
    if (profile.length !== taps) {
      throw new InputError("delayProfile", describe(profile), `${taps} powers, one per tap`);
    }
    for (let l = 0; l < taps; l++) powers[l] = checkNumber(profile[l], `delayProfile[${l}]`, 0, 1e100);
    return normalise(powers);
  }
  if (profile === "uniform") return powers.fill(1 / taps);
  checkPositive(delaySpread, "delaySpread");
  if (profile === "exponential") {
    for (let l = 0; l < taps; l++) powers[l] = Math.exp(-l / delaySpread);
    return normalise(powers);
  }
  const clusters = Object.hasOwn(tdl, profile as string) ? tdl[profile as keyof typeof tdl] : undefined;
  if (clusters === undefined) {
    throw new InputError(
      "delayProfile",
      describe(profile),
      `one of ${delayProfileNames.join(", ")}, or powers`,
    );
  }
  for (const [delay, decibels] of clusters) {
    const tap = Math.round(delay * delaySpread);
    if (tap < taps) powers[tap]! += 10 ** (decibels / 10);
  }
  return normalise(powers);
}

function normalise(powers: Float64Array): Float64Array {
  const total = powers.reduce((sum, p) => sum + p, 0);
  if (!(total > 0)) throw new InputError("delayProfile", "powers that sum to 0", "at least one power > 0");
  return powers.map((p) => p / total);
}

type Clusters = readonly (readonly [normalisedDelay: number, decibels: number])[];

/** 3GPP TR 38.901: delays in units of the rms delay spread, powers in dB. */
export const tdl: { readonly "tdl-a": Clusters; readonly "tdl-b": Clusters; readonly "tdl-c": Clusters } = {
  "tdl-a": [
    [0, -13.4],
    [0.3819, 0],
    [0.4025, -2.2],
    [0.5868, -4],
    [0.461, -6],
    [0.5375, -8.2],
    [0.6708, -9.9],
    [0.575, -10.5],
    [0.7618, -7.5],
    [1.5375, -15.9],
    [1.8978, -6.6],
    [2.2242, -16.7],
    [2.1718, -12.4],
    [2.4942, -15.2],
    [2.5119, -10.8],
    [3.0582, -11.3],
    [4.081, -12.7],
    [4.4579, -16.2],
    [4.5695, -18.3],
    [4.7966, -18.9],
    [5.0066, -16.6],
    [5.3043, -19.9],
    [9.6586, -29.7],
  ],
  "tdl-b": [
    [0, 0],
    [0.1072, -2.2],
    [0.2155, -4],
    [0.2095, -3.2],
    [0.287, -9.8],
    [0.2986, -1.2],
    [0.3752, -3.4],
    [0.5055, -5.2],
    [0.3681, -7.6],
    [0.3697, -3],
    [0.57, -8.9],
    [0.5283, -9],
    [1.1021, -4.8],
    [1.2756, -5.7],
    [1.5474, -7.5],
    [1.7842, -1.9],
    [2.0169, -7.6],
    [2.8294, -12.2],
    [3.0219, -9.8],
    [3.6187, -11.4],
    [4.1067, -14.9],
    [4.279, -9.2],
    [4.7834, -11.3],
  ],
  "tdl-c": [
    [0, -4.4],
    [0.2099, -1.2],
    [0.2219, -3.5],
    [0.2329, -5.2],
    [0.2176, -2.5],
    [0.6366, 0],
    [0.6448, -2.2],
    [0.656, -3.9],
    [0.6584, -7.4],
    [0.7935, -7.1],
    [0.8213, -10.7],
    [0.9336, -11.1],
    [1.2285, -5.1],
    [1.3083, -6.8],
    [2.1704, -8.7],
    [2.7105, -13.2],
    [4.2589, -13.9],
    [4.6003, -13.9],
    [5.4902, -15.8],
    [5.6077, -17.1],
    [6.3065, -16],
    [6.6374, -15.7],
    [7.0427, -21.6],
    [8.6523, -22.8],
  ],
};
