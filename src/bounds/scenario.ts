import {
  type BeamformerDesign,
  type Channel,
  type DeviceCorrelation,
  type ErrorParts,
  errorParts,
  type LinkDistortion,
  type LinkSpec,
  linkDistortion,
  linkOptions,
  specifiedChannel,
} from "../aircomp/index.ts";
import { InputError, parseInput, renameField } from "../core/index.ts";
import type { ErrorInput } from "./error-sources.ts";
import { checkGradientBoundInput, type GradientBoundResult, gradientNormBound } from "./gradient-bound.ts";
import {
  checkGapInput,
  type GapInput,
  type GapResult,
  optimalityGap,
  smallestSlope,
} from "./optimality-gap.ts";
import { ofdmSymbols, payloadEntries, sharedField, sharedLayers, symbolPower } from "./payload.ts";
import {
  checkQuadraticInput,
  type QuadraticGapInput,
  quadraticGap,
  quadraticSlope,
} from "./quadratic-gap.ts";
import { missedEnergies } from "./residual.ts";
import {
  type BoundForm,
  type PerRank,
  type Scenario,
  type ScenarioSolverSpec,
  scenarioSchema,
} from "./scenario-schema.ts";
import { subspaceAt } from "./subspace.ts";
import { checkRankMatters, correlationAssumptions, roundsWithin, trainingMode } from "./training-mode.ts";

export type { Scenario } from "./scenario-schema.ts";

/** A scenario whose channel is built and whose rank-dependent quantities can be asked for. */
export interface RankProblem {
  /** What the design sees: the channel, or an estimate of it. */
  readonly channel: Channel;
  readonly streams: number;
  readonly noiseVariance: number;
  readonly weights?: readonly number[];
  /** R that the beamformers are designed for; absent: R = I. */
  readonly correlation?: DeviceCorrelation;
  readonly solver: Required<Pick<ScenarioSolverSpec, "scheme" | "effort" | "seed" | "rankSearch">> &
    Pick<ScenarioSolverSpec, "initialRank">;
  /** Largest rank that the layers, `maxRank` and the latency budget allow; >= 1. */
  readonly maxRank: number;
  /** What one round at rank r sends. */
  payloadAt(rank: number): RankPayload;
  /** The omega that the bound uses for a design, and the cap; the same on the true channel where it is known too. */
  distortionOf(design: BeamformerDesign): LinkDistortion;
  /** Which form of the bound is used, and what it takes for granted, in short sentences. */
  readonly form: BoundForm;
  readonly assumptions: readonly string[];
  /**
   * The bound at rank r for a distortion, one number or one per round. In the non-convex form `gap` is the bound on
   * (1/T) sum E||grad f||^2, in the unit of the gradient squared, and `contraction` is 1. The quadratic form asks for the
   * design itself, whatever its distortion.
   */
  boundAt(rank: number, distortion: number | ArrayLike<number>, design?: () => BeamformerDesign): GapResult;
  /** The b2 that decides whether the bound applies: below 1 it does. */
  slopeAt(rank: number, distortion: number | ArrayLike<number>, design?: () => BeamformerDesign): number;
  /** Input of the PL form. @throws InputError in the other forms. */
  gapInput(rank: number, distortion: number | ArrayLike<number>): GapInput;
}

export interface RankPayload {
  /** Q */
  readonly entries: number;
  /** N_sym */
  readonly symbols: number;
  /** N_sym T_s in seconds. */
  readonly airTime: number;
  /** Seconds of a round: air time and computation. */
  readonly delay: number;
  /** P_k(r) */
  readonly power: Float64Array;
  /** T(r): rounds that fit, or that were asked for. */
  readonly rounds: number;
}

/**
 * Checks a scenario, fills in its defaults and builds its channel.
 *
 * @throws InputError naming the field that is missing, unknown, out of range or impossible.
 */
export function rankProblem(scenario: Scenario): RankProblem {
  const parsed = parseInput(scenarioSchema, scenario);
  const { learning, lora } = parsed;
  if (lora.ranks === "per-layer") {
    throw new InputError(
      "lora.ranks",
      '"per-layer"',
      '"uniform"; minimizeOptimalityGap alone takes ranks per layer',
    );
  }
  const link = parsed.link as Required<Omit<LinkSpec, "weights">> & Pick<LinkSpec, "weights">;
  const solver = parsed.solver as RankProblem["solver"] & { readonly maxRank: number };
  const specified = specifiedChannel(parsed.channel);
  const channel = specified.known;
  const { devices, subcarriers } = channel;
  const { power: peak, ...radio } = linkOptions(link, channel);
  const energy = link.energyPerRound;
  if (Array.isArray(energy) && energy.length !== devices) {
    throw new InputError(
      "link.energyPerRound",
      `${energy.length} values`,
      `one number, or ${devices}, one per device`,
    );
  }
  const energyOf = (k: number): number | null =>
    energy === null ? null : typeof energy === "number" ? energy : energy[k]!;
  const { payload = {} } = lora;
  const layers = renameField(scenarioField, () => sharedLayers(lora.layers, payload));
  const mode = trainingMode(learning, lora);

  const entriesAt = (rank: number): number =>
    renameField(scenarioField, () => payloadEntries(lora.layers, rank, mode.trained, payload));
  if (entriesAt(1) === 0) {
    const expected = "a layer or a tensor: local training needs no link";
    throw new InputError("lora.payload", "nothing that is shared", expected);
  }
  const payloadAt = (rank: number): RankPayload => {
    const entries = entriesAt(rank);
    const symbols = ofdmSymbols(entries, link.streams, subcarriers);
    const airTime = symbols * link.symbolDuration;
    return {
      entries,
      symbols,
      airTime,
      delay: airTime + (learning.computeTime ?? 0),
      power: peak.map((power, k) => symbolPower(power, energyOf(k), airTime)),
      rounds: roundsWithin(learning, airTime),
    };
  };

  // without a shared layer only constants and tensors per rank depend on it, and they end nowhere
  const widest = layers.reduce((most, layer) => Math.max(most, Math.min(layer.dOut, layer.dIn)), 0);
  let maxRank = layers.length === 0 ? solver.maxRank : Math.min(solver.maxRank, widest);
  const first = payloadAt(1);
  if (link.latencyPerRound !== null) {
    if (first.airTime > link.latencyPerRound) {
      throw new InputError(
        "link.latencyPerRound",
        `${link.latencyPerRound} s`,
        `at least ${first.airTime} s, the air time of rank 1; use more subcarriers or streams, or fewer layers`,
      );
    }
    while (payloadAt(maxRank).airTime > link.latencyPerRound) maxRank--;
  }
  if (typeof learning.totalTime === "number" && first.rounds === 0 && learning.rounds !== 0) {
    const round = (learning.computeTime ?? 0) + first.airTime;
    throw new InputError(
      "learning.totalTime",
      `${learning.totalTime} s`,
      `at least ${round} s, one round of rank 1 with its computation`,
    );
  }
  checkRankWithin("solver.initialRank", solver.initialRank, maxRank);
  const { rankSearch } = solver;
  if (typeof rankSearch === "object") checkRankWithin("solver.rankSearch.fixed", rankSearch.fixed, maxRank);
  else checkRankMatters(learning, lora, mode);

  const missed =
    layers.length === 0
      ? new Float64Array(maxRank + 1)
      : renameField(
          (field) => scenarioField(sharedField(payload, field)),
          () => missedEnergies(mode.residual, layers, mode.spectrum, maxRank),
        );
  const errorInput = (rank: number, distortion: number | ArrayLike<number>): ErrorInput => ({
    smoothness: atRank(learning.smoothness, rank, "learning.smoothness"),
    initialGap: learning.initialGap,
    rounds: payloadAt(rank).rounds,
    distortion,
    gradientFloor: atRank(learning.gradientFloor, rank, "learning.gradientFloor"),
    gradientSlope: atRank(learning.gradientSlope ?? 0, rank, "learning.gradientSlope"),
    stochasticVariance: atRank(learning.stochasticVariance ?? 0, rank, "learning.stochasticVariance"),
    participation: learning.participation,
    ...(mode.subspace === undefined ? {} : { subspace: subspaceAt(mode.subspace, layers, rank) }),
  });
  const plInput = (rank: number, distortion: number | ArrayLike<number>): GapInput => {
    if (learning.plConstant === undefined) {
      throw new InputError("learning.form", `"${mode.form}"`, '"pl", the form with an optimality gap');
    }
    const common = errorInput(rank, distortion);
    return {
      ...common,
      plConstant: atRank(learning.plConstant, rank, "learning.plConstant"),
      residual: ((mode.smoothness ?? common.smoothness) / 2) * missed[rank]!,
    };
  };
  const quadraticInput = (rank: number, parts: ErrorParts): QuadraticGapInput => {
    const { participation: _none, distortion: _parts, ...common } = plInput(rank, 0);
    const { dissimilarityFloor: h1, dissimilaritySlope: h2 } = learning;
    return {
      ...common,
      parts,
      ...(h1 === undefined ? {} : { dissimilarityFloor: atRank(h1, rank, "learning.dissimilarityFloor") }),
      ...(h2 === undefined ? {} : { dissimilaritySlope: atRank(h2, rank, "learning.dissimilaritySlope") }),
    };
  };
  const parts = new WeakMap<BeamformerDesign, ErrorParts>();
  const partsOf = (design: (() => BeamformerDesign) | undefined): ErrorParts => {
    const made = design?.();
    if (made === undefined)
      throw new InputError("design", "nothing", "the beamformers, in the quadratic form");
    const { noiseVariance, weights } = radio;
    const found =
      parts.get(made) ??
      errorParts(channel, made, { noiseVariance, ...(weights === undefined ? {} : { weights }) });
    parts.set(made, found);
    return found;
  };
  if (mode.form === "quadratic" && solver.scheme === "digital") {
    throw new InputError(
      "solver.scheme",
      '"digital" with learning.form "quadratic"',
      'an analog scheme, or learning.form "pl"',
    );
  }
  // wrong constants (mu > L, lists that are too short, spectra that are missing) are refused before any solving
  for (let rank = 1; rank <= maxRank; rank++) {
    renameField(scenarioField, () => {
      if (mode.form === "pl") checkGapInput(plInput(rank, 0));
      else if (mode.form === "quadratic") checkQuadraticInput(quadraticInput(rank, exact));
      else checkGradientBoundInput(errorInput(rank, 0));
    });
  }

  return {
    ...radio,
    solver,
    maxRank,
    form: mode.form,
    assumptions: [...mode.assumptions, ...correlationAssumptions(mode.form, link.correlation)],
    payloadAt,
    distortionOf: (design) => {
      const found = linkDistortion(link, specified, design);
      // the design states its own MSE, except where it was made for a bound on the cap
      return link.correlation === "cap" ? found : { ...found, distortion: design.distortion };
    },
    boundAt(rank, distortion, design) {
      if (mode.form === "pl") return optimalityGap(plInput(rank, distortion));
      if (mode.form === "quadratic") return quadraticGap(quadraticInput(rank, partsOf(design)));
      return asGap(gradientNormBound(errorInput(rank, distortion)));
    },
    slopeAt(rank, distortion, design) {
      if (mode.form === "quadratic") return quadraticSlope(quadraticInput(rank, partsOf(design)));
      return smallestSlope(errorInput(rank, distortion));
    },
    gapInput(rank, distortion) {
      if (mode.form === "pl") return plInput(rank, distortion);
      throw new InputError("learning.form", `"${mode.form}"`, '"pl", which alone has this bound');
    },
  };
}

/** Of aggregation without errors. */
const exact: ErrorParts = { gain: 1, bias: 0, common: 0, deviation: 0, noise: 0 };

function asGap({ bound, terms, reason }: GradientBoundResult): GapResult {
  const result = { gap: bound, terms: { ...terms, residual: 0 }, contraction: 1 };
  return reason === undefined ? result : { ...result, reason };
}

function atRank(value: PerRank, rank: number, field: string): number {
  if (typeof value === "number") return value;
  const entry = value[rank - 1];
  if (entry === undefined)
    throw new InputError(field, `${value.length} values`, `one for every rank, at least ${rank}`);
  return entry;
}

function checkRankWithin(field: string, rank: number | undefined, maxRank: number): void {
  if (rank !== undefined && rank > maxRank) {
    throw new InputError(
      field,
      `${rank}`,
      `at most ${maxRank}, the largest rank that the layers, maxRank and the latency budget allow`,
    );
  }
}

/** Arguments of the bound and the residual under the names that the scenario has for them. */
function scenarioField(field: string): string {
  // air times are asked for within checks of the bound, and are named already
  if (field.startsWith("learning.") || field.startsWith("lora.")) return field;
  if (field.startsWith("spectrum")) return `lora.residual.${field}`;
  return /^(layers|payload)/.test(field) ? `lora.${field}` : `learning.${field}`;
}
