/** What a payload costs on a link: rate, delay and energy, sent digitally by every client or by all at once over the air. */
import {
  checkChoice,
  checkInteger,
  checkNumber,
  checkNumbers,
  checkOptions,
  checkPositive,
  InputError,
} from "../core/index.ts";

export interface LinkCostOptions {
  /** Bits to be sent. */
  readonly bits: number;
  /** B in Hz. */
  readonly bandwidth: number;
  /** Linear. */
  readonly snr: number;
  /** Transmit power in W; default 1, which makes the energy one per watt. */
  readonly power?: number;
}

export interface LinkCost {
  /** B log2(1 + snr) in bit/s. */
  readonly rate: number;
  /** bits/rate in s; Infinity for bits at SNR 0. */
  readonly delay: number;
  /** power x delay in J. */
  readonly energy: number;
}

export interface DelayComparisonOptions {
  /** Bytes that every client sends digitally (`payloadOf(...).bytes`); one number for all, or one each. */
  readonly bytes: number | ArrayLike<number>;
  /** N_sym of the same payload over the air (`payloadOf(...).symbols`, `planRound(...).symbols`). */
  readonly symbols: number;
  /** T_s in s. */
  readonly symbolDuration: number;
  /** [rounds, clients]: linear SNRs with all power in the whole band, see `drawSnr`. */
  readonly snrs: ArrayLike<number>;
  /** K */
  readonly clients: number;
  /** B in Hz, of the whole band. */
  readonly bandwidth: number;
  /**
   * How digital clients share the band. "time" (default): one after the other in the whole band, the round lasts as long as
   * all of them together. "frequency": all at once in their shares of the band, until the slowest is through; power in a
   * share b is as dense as makes the SNR snr/b.
   */
  readonly access?: "time" | "frequency";
  /** b_k >= 0, sum 1, for "frequency". Default 1/K. */
  readonly shares?: ArrayLike<number>;
  /** Transmit power of a client in W; default 1, which makes the energies ones per watt. */
  readonly power?: number;
}

export interface DelayComparison {
  readonly digital: {
    /** Of every round, in s. */
    readonly delays: Float64Array;
    /** Of every round: power x the time that each client sends, summed over the clients, in J. */
    readonly energies: Float64Array;
    readonly meanDelay: number;
    readonly meanEnergy: number;
  };
  /** The same in every round: N_sym T_s, and all clients sending at full power throughout. */
  readonly overTheAir: { readonly delay: number; readonly energy: number };
  /** meanDelay/delay: how many times longer digital rounds last; 1 where nothing is sent. */
  readonly delayRatio: number;
}

const names = [
  "bytes",
  "symbols",
  "symbolDuration",
  "snrs",
  "clients",
  "bandwidth",
  "access",
  "shares",
  "power",
];

/** Rate, delay and energy of one link without fading. @throws InputError on values out of range. */
export function linkCost(options: LinkCostOptions): LinkCost {
  checkOptions(options, "linkCost", ["bits", "bandwidth", "snr", "power"]);
  const bits = checkNumber(options.bits, "bits", 0);
  const bandwidth = checkPositive(options.bandwidth, "bandwidth");
  const rate = bandwidth * spectralEfficiency(checkNumber(options.snr, "snr", 0));
  const delay = bits === 0 ? 0 : bits / rate;
  const power = checkNumber(options.power ?? 1, "power", 0);
  return { rate, delay, energy: power === 0 ? 0 : power * delay };
}

/**
 * Delay and energy of a round for one plan: digital transmissions of every client at the drawn SNRs against one analog
 * transmission of all, which takes N_sym T_s whatever the number of clients. What either does to accuracy is not in it:
 * digital delays are those of capacity, over-the-air values come with the distortion of the design.
 *
 * @throws InputError on counts or values out of range, shares that do not sum to 1 (to 1e-9) or shares without "frequency".
 */
export function compareDelay(options: DelayComparisonOptions): DelayComparison {
  checkOptions(options, "compareDelay", names);
  const clients = checkInteger(options.clients, "clients", 1, 2 ** 24);
  const bytes =
    typeof options.bytes === "number"
      ? new Float64Array(clients).fill(checkNumber(options.bytes, "bytes", 0))
      : checkNumbers(options.bytes, "bytes", clients, 0);
  const symbols = checkInteger(options.symbols, "symbols");
  const symbolDuration = checkPositive(options.symbolDuration, "symbolDuration");
  const snrs = checkNumbers(options.snrs, "snrs", undefined, 0);
  if (snrs.length === 0 || snrs.length % clients !== 0) {
    throw new InputError("snrs", `${snrs.length} numbers`, `${clients} of every round, one per client`);
  }
  const bandwidth = checkPositive(options.bandwidth, "bandwidth");
  const access = checkChoice(options.access ?? "time", "access", ["time", "frequency"]);
  const shares = readShares(options.shares, access, clients);
  const power = checkNumber(options.power ?? 1, "power", 0);
  const rounds = snrs.length / clients;
  const delays = new Float64Array(rounds);
  const energies = new Float64Array(rounds);
  for (let t = 0; t < rounds; t++) {
    let total = 0;
    let longest = 0;
    for (let k = 0; k < clients; k++) {
      const delay = clientDelay(8 * bytes[k]!, bandwidth, snrs[t * clients + k]!, shares[k]!);
      total += delay;
      longest = Math.max(longest, delay);
    }
    delays[t] = access === "time" ? total : longest;
    energies[t] = power === 0 ? 0 : power * total;
  }
  const delay = symbols * symbolDuration;
  const meanDelay = mean(delays);
  return {
    digital: { delays, energies, meanDelay, meanEnergy: mean(energies) },
    overTheAir: { delay, energy: clients * power * delay },
    delayRatio: meanDelay === delay ? 1 : meanDelay / delay,
  };
}

/** log2(1 + snr), with the digits of small ones. */
function spectralEfficiency(snr: number): number {
  return Math.log1p(snr) / Math.LN2;
}

function clientDelay(bits: number, bandwidth: number, snr: number, share: number): number {
  if (bits === 0) return 0;
  if (share === 0) return Number.POSITIVE_INFINITY;
  return bits / (bandwidth * share * spectralEfficiency(snr / share));
}

function readShares(
  value: ArrayLike<number> | undefined,
  access: "time" | "frequency",
  clients: number,
): ArrayLike<number> {
  if (access === "time") {
    if (value !== undefined)
      throw new InputError("shares", "shares of the band", 'access "frequency" with them');
    return new Float64Array(clients).fill(1);
  }
  if (value === undefined) return new Float64Array(clients).fill(1 / clients);
  const shares = checkNumbers(value, "shares", clients, 0);
  let sum = 0;
  for (let k = 0; k < clients; k++) sum += shares[k]!;
  if (!(Math.abs(sum - 1) <= 1e-9)) {
    throw new InputError("shares", `shares that sum to ${sum}`, "shares that sum to 1");
  }
  return shares;
}

function mean(values: Float64Array): number {
  return values.reduce((sum, x) => sum + x, 0) / values.length;
}
