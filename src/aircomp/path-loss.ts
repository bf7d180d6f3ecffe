import {
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkPositive,
  describe,
  InputError,
  type RandomStream,
} from "../core/index.ts";

/**
 * Log-distance path loss: beta_k = 10^(-referenceLossDb/10) (d_k / referenceDistance)^(-exponent), times
 * log-normal shadowing. The server is at the origin.
 */
export interface PathLoss {
  /** One [x, y] or [x, y, z] in metres per device, or a disc in which they are dropped uniformly (seeded). */
  readonly positions: readonly (readonly number[])[] | { readonly radius: number; readonly minimum?: number };
  /** Path-loss exponent, > 0. Default 3. */
  readonly exponent?: number;
  /** Metres, > 0; nearer devices count as this far. Default 1. */
  readonly referenceDistance?: number;
  /** Loss at the reference distance in dB. Default 0. */
  readonly referenceLossDb?: number;
  /** Standard deviation of the shadowing in dB. Default 0. */
  readonly shadowingDb?: number;
  /** Scale the gains so that their mean is 1: the SNR then is that of the average device. Default false. */
  readonly normalise?: boolean;
}

/**
 * Power gains beta_k of the devices, from their distances to the server.
 *
 * @throws InputError on positions of the wrong count or shape, or parameters outside their range.
 */
export function pathGains(pathLoss: PathLoss, devices: number, stream: RandomStream): Float64Array {
  const field = "pathLoss";
  checkOptions(pathLoss, field, [
    "positions",
    "exponent",
    "referenceDistance",
    "referenceLossDb",
    "shadowingDb",
    "normalise",
  ]);
  checkInteger(devices, "devices", 1);
  const exponent = checkPositive(pathLoss.exponent ?? 3, `${field}.exponent`);
  const reference = checkPositive(pathLoss.referenceDistance ?? 1, `${field}.referenceDistance`);
  const lossDb = checkNumber(pathLoss.referenceLossDb ?? 0, `${field}.referenceLossDb`);
  const shadowingDb = checkNumber(pathLoss.shadowingDb ?? 0, `${field}.shadowingDb`, 0);
  const distances = deviceDistances(pathLoss.positions, devices, stream.split("positions"));
  const shadowing = stream.split("shadowing");
  const gains = distances.map((distance) => {
    const decibels = -lossDb + shadowingDb * shadowing.normal();
    return 10 ** (decibels / 10) * (Math.max(distance, reference) / reference) ** -exponent;
  });
  if (pathLoss.normalise !== true) return gains;
  const mean = gains.reduce((sum, gain) => sum + gain, 0) / devices;
  return gains.map((gain) => gain / mean);
}

function deviceDistances(
  positions: PathLoss["positions"],
  devices: number,
  stream: RandomStream,
): Float64Array {
  const field = "pathLoss.positions";
  if (!Array.isArray(positions)) {
    const disc = positions as { readonly radius: number; readonly minimum?: number };
    checkOptions(disc, field, ["radius", "minimum"]);
    const radius = checkPositive(disc.radius, `${field}.radius`);
    const minimum = checkNumber(disc.minimum ?? 0, `${field}.minimum`, 0, radius);
    // uniform in the ring minimum <= d <= radius: d^2 is uniform
    return Float64Array.from({ length: devices }, () =>
      Math.sqrt(minimum ** 2 + stream.uniform() * (radius ** 2 - minimum ** 2)),
    );
  }
  if (positions.length !== devices) {
    throw new InputError(field, describe(positions), `${devices} positions, one per device`);
  }
  return Float64Array.from(positions, (position, k) => {
    const point = checkNumbers(position, `${field}[${k}]`);
    if (point.length !== 2 && point.length !== 3) {
      throw new InputError(`${field}[${k}]`, describe(position), "[x, y] or [x, y, z] in metres");
    }
    return Math.hypot(...Array.from(point));
  });
}
