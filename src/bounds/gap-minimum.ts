import type { BeamformerDesign } from "../aircomp/index.ts";
import type { GapTerms } from "./optimality-gap.ts";
import type { RankSearchRow } from "./rank-search.ts";
import type { BoundForm } from "./scenario-schema.ts";

/** The bound and what it is made of, at one rank. */
export interface RankRow {
  readonly rank: number;
  /** In the unit of `GapMinimum.gap`. */
  readonly gap: number;
  readonly terms: GapTerms;
  /** omega of the beamformers at this rank, for the correlation of the link (the cap, if that is "cap"). */
  readonly distortion: number;
  /** rho */
  readonly contraction: number;
  /** Q, real numbers per device and round. */
  readonly entries: number;
  /** N_sym, OFDM symbols per round. */
  readonly symbols: number;
  /** Seconds per round. */
  readonly airTime: number;
  /** T(r), the rounds that the bound counts. */
  readonly rounds: number;
  /** Why the gap is infinite. */
  readonly reason?: string;
}

/** Why the rank search ended. */
export type RankReason =
  | "no-better-neighbour"
  | "all-ranks"
  | "fixed"
  | "random"
  | "aborted"
  /** Ranks per layer: every number of OFDM symbols that changes them was evaluated. */
  | "all-symbols"
  /** Ranks per layer: no number of OFDM symbols can be better by more than the tolerance. */
  | "within-tolerance";

export interface GapMinimum {
  /** Which form of the bound `gap` is. */
  readonly form: BoundForm;
  /** The LoRA rank; the largest one, with ranks per layer. */
  readonly rank: number;
  /** With `lora.ranks` "per-layer": for every entry of `lora.layers` the ranks of its copies, descending; none if private. */
  readonly layerRanks?: readonly (readonly number[])[];
  /**
   * The bound. Forms "pl" and "quadratic": on the expected loss after the last round less the least one, in the unit of the
   * loss. "non-convex": on the mean squared gradient norm over the rounds, in the unit of the gradient squared.
   */
  readonly gap: number;
  readonly terms: GapTerms;
  /** T(r) of the chosen rank. */
  readonly rounds: number;
  /** omega, as the bound uses it: for the correlation of the link, in the mean over an estimation error. */
  readonly distortion: number;
  /** Cap on omega for any correlation between the gradients of the devices. */
  readonly distortionCap: number;
  /** Both on the drawn channel, where the design saw an estimate of it. */
  readonly onTrueChannel?: { readonly distortion: number; readonly cap: number };
  /** Seconds of a round at the chosen rank: N_sym T_s and the computation. */
  readonly delay: number;
  /**
   * What each device radiates in a round, N_sym T_s sum_m ||B_km||_F^2 for symbols of unit power, at most `energyPerRound`: in
   * units of the noise variance times seconds, J where that is in W. Digital designs use their budget, ideal ones nothing.
   */
  readonly energy: readonly number[];
  readonly contraction: number;
  readonly design: BeamformerDesign;
  /**
   * Every rank that was evaluated, ascending (with ranks per layer every number of OFDM symbols, `rank` being the largest
   * one that is best there); all by the same path of designs. With more effort than "fast" it comes
   * from a design of the full effort, that of the chosen rank (of an earlier choice where the rank has moved since).
   */
  readonly byRank: readonly RankRow[];
  /**
   * Accepted states of the rank search; the gap never increases along them. A row that repeats a rank has settled it.
   */
  readonly rows: readonly RankSearchRow[];
  /** Beamforming problems solved: on the path of designs, with few iterations, and with full effort to settle a rank. */
  readonly solves: { readonly path: number; readonly settling: number };
  readonly reason: RankReason;
  /** What the bound takes for granted. */
  readonly assumptions: readonly string[];
  /** Why the gap is infinite, if it is. */
  readonly gapReason?: string;
  /** False if the beamforming at the chosen rank stopped early. */
  readonly converged: boolean;
}

export interface MinimizeHooks {
  readonly signal?: AbortSignal;
  /** Called after every rank (or number of OFDM symbols) that is evaluated, or evaluated again. */
  readonly onProgress?: (progress: {
    readonly evaluated: number;
    readonly maxRank: number;
    readonly rank: number;
    /** N_sym; with ranks per layer, where `rank` is the largest one and `maxRank` that of the scenario. */
    readonly symbols?: number;
    /** Iterations of the scheme so far, over all designs. */
    readonly iterations: number;
  }) => void;
  /** Distortions that are known already, by rank (from `rankDistortion` of the same scenario); of uniform ranks. */
  readonly distortions?: ReadonlyMap<number, number>;
}
