import type { LinkSpec } from "../aircomp/index.ts";
import { InputError } from "../core/index.ts";
import type { TrainedFactors } from "./payload.ts";
import { checkPayload, hasSharedLayers, payloadAssumptions } from "./payload-coverage.ts";
import type { ResidualKind } from "./residual.ts";
import type { BoundForm, LearningSpec, LoraSpec, ResidualSpec } from "./scenario-schema.ts";
import type { Spectrum } from "./spectrum.ts";
import type { Subspace } from "./subspace.ts";

/** Which form of the bound covers how the factors are trained (the table in docs/theory.md, section 2). */
export interface TrainingMode {
  readonly form: BoundForm;
  readonly trained: TrainedFactors;
  /** What rank r misses; in the non-convex form `projection` stands for nothing at all. */
  readonly residual: ResidualKind;
  readonly spectrum?: Spectrum;
  /** L_W, where it differs from the smoothness of the training. */
  readonly smoothness?: number;
  /** loraA drawn anew in every round. */
  readonly subspace?: Subspace["kind"];
  readonly assumptions: readonly string[];
}

/**
 * Pairs the form of the bound with the training mode.
 *
 * @throws InputError on a pairing that no theorem covers, saying why.
 */
export function trainingMode(learning: LearningSpec, lora: LoraSpec): TrainingMode {
  const form = learning.form ?? "pl";
  const trained = lora.trained ?? "both";
  const region = learning.region ?? (trained === "loraB" ? "global" : "sublevel");
  const { residual } = lora;
  if (learning.rounds === undefined && typeof learning.totalTime !== "number") {
    throw new InputError(
      "learning.rounds",
      "nothing",
      "a whole number >= 0, or learning.totalTime in seconds",
    );
  }
  if (typeof learning.totalTime !== "number" && (learning.computeTime ?? 0) > 0) {
    throw new InputError(
      "learning.computeTime",
      `${learning.computeTime} s without learning.totalTime`,
      "nothing, or learning.totalTime in seconds, which it counts against",
    );
  }
  if (residual !== undefined && residual.kind !== "spectral" && trained !== "loraB") {
    const why =
      residual.kind === "frozen"
        ? "loraA is frozen there"
        : "loraA is drawn anew in every round there, not trained";
    throw new InputError(
      "lora.residual.kind",
      `"${residual.kind}" with lora.trained "${trained}"`,
      `"spectral", or lora.trained "loraB": ${why}`,
    );
  }
  if (form === "non-convex") checkNonConvex(learning, lora);
  else checkPolyakLojasiewicz(learning, lora, trained, region);
  if (form === "quadratic") checkQuadratic(learning, lora, trained);
  else checkNoDissimilarity(learning, form);
  checkPayload(form, lora);
  const subspace = residual?.kind === "projection" || residual?.kind === "sketch" ? residual.kind : undefined;
  if (subspace !== undefined) checkNothingMissed(residual, subspace);
  return {
    form,
    trained,
    residual: residual?.kind ?? "projection",
    ...(residual?.spectrum === undefined ? {} : { spectrum: residual.spectrum }),
    ...(residual?.smoothness === undefined ? {} : { smoothness: residual.smoothness }),
    ...(subspace === undefined ? {} : { subspace }),
    assumptions: [
      formAssumptions[form],
      regionAssumption(region, subspace !== undefined),
      ...factorAssumptions(trained, residual?.kind),
      ...(form !== "non-convex" && takesSmoothness(residual) ? [sameSmoothness] : []),
      ...payloadAssumptions(learning, lora),
    ],
  };
}

/** Whether the residual takes its L_W from `learning.smoothness`. */
function takesSmoothness(residual: ResidualSpec | undefined): boolean {
  const isScaled = residual?.kind === "spectral" || residual?.kind === "frozen";
  return isScaled && residual.smoothness === undefined;
}

/** What a bound on the distortion takes for granted of the gradients of different devices. */
export function correlationAssumptions(
  form: BoundForm,
  correlation: LinkSpec["correlation"],
): readonly string[] {
  // the quadratic form says that it holds for any
  if (form === "quadratic") return [];
  if (correlation === "cap") {
    return [
      "The distortion is its cap, which holds for any correlation between the gradients of the devices.",
    ];
  }
  if (correlation === undefined || correlation === 0) {
    return [
      'The symbols of different devices are taken as uncorrelated; link.correlation "cap" holds for any data.',
    ];
  }
  return ["The gradients of different devices have the correlation that link.correlation states."];
}

/**
 * Refuses a search that nothing could decide: without a residual, a drawn loraA or a constant per rank the bound
 * of the non-convex form does not reward a larger rank.
 *
 * @throws InputError naming `solver.rankSearch`.
 */
export function checkRankMatters(learning: LearningSpec, lora: LoraSpec, mode: TrainingMode): void {
  const sharesLayers = hasSharedLayers(lora);
  if (sharesLayers && (mode.form !== "non-convex" || mode.subspace !== undefined)) return;
  const { smoothness, gradientFloor, gradientSlope, stochasticVariance } = learning;
  if (
    [smoothness, gradientFloor, gradientSlope, stochasticVariance].some((value) => typeof value === "object")
  )
    return;
  if (!sharesLayers) {
    const expected = '{ "fixed": r }, or a learning constant per rank: private ranks are not sent';
    throw new InputError("solver.rankSearch", "a search, while no layer is shared", expected);
  }
  throw new InputError(
    "solver.rankSearch",
    "a search, while nothing in the non-convex form rewards a larger rank",
    '{ "fixed": r }, or a learning constant per rank, or lora.residual.kind "projection" or "sketch"',
  );
}

/** T(r) for an air time per round in seconds. */
export function roundsWithin({ rounds, totalTime, computeTime }: LearningSpec, airTime: number): number {
  if (typeof totalTime !== "number") return rounds!;
  // 0.3 s hold three rounds of 0.1 s, although 0.3 / 0.1 < 3 in floating point
  const fitting = Math.floor((totalTime / ((computeTime ?? 0) + airTime)) * (1 + 4 * Number.EPSILON));
  return Math.min(rounds ?? Number.MAX_SAFE_INTEGER, fitting);
}

function checkPolyakLojasiewicz(
  learning: LearningSpec,
  lora: LoraSpec,
  trained: TrainedFactors,
  region: "global" | "sublevel",
): void {
  if (learning.plConstant === undefined) {
    throw new InputError("learning.plConstant", "nothing", 'mu > 0, or learning.form "non-convex"');
  }
  if (lora.residual === undefined && hasSharedLayers(lora)) {
    throw new InputError("lora.residual", "nothing", 'an object, or learning.form "non-convex"');
  }
  if (region === "global" && trained !== "loraB") {
    throw new InputError(
      "learning.region",
      `"global" with lora.trained "${trained}"`,
      '"sublevel", learning.form "non-convex", or lora.trained "loraB": both gradients vanish where loraA = loraB = 0, ' +
        "so no mu holds everywhere",
    );
  }
  if (lora.residual === undefined) return;
  const { kind, smoothness } = lora.residual;
  const hasResidual = kind === "spectral" || kind === "frozen";
  if (hasResidual && typeof learning.smoothness !== "number" && smoothness === undefined) {
    throw new InputError(
      "lora.residual.smoothness",
      "nothing",
      "L_W, the smoothness in the weights, where learning.smoothness is given per rank",
    );
  }
}

function checkQuadratic(learning: LearningSpec, lora: LoraSpec, trained: TrainedFactors): void {
  if (trained !== "loraB") {
    throw new InputError(
      "learning.form",
      `"quadratic" with lora.trained "${trained}"`,
      '"pl", or lora.trained "loraB": the loss is not quadratic in a product of two trained factors',
    );
  }
  const kind = lora.residual?.kind;
  if (kind === "projection" || kind === "sketch") {
    throw new InputError(
      "lora.residual.kind",
      `"${kind}" with learning.form "quadratic"`,
      '"spectral", "frozen", or learning.form "pl": the quadratic form follows the errors through rounds of one loraA',
    );
  }
  if (learning.region === "sublevel") {
    throw new InputError(
      "learning.region",
      '"sublevel" with learning.form "quadratic"',
      '"global": curvatures of a quadratic',
    );
  }
  if (learning.participation !== undefined) {
    throw new InputError(
      "learning.participation",
      'an object with learning.form "quadratic"',
      'nothing, or learning.form "pl": the quadratic form does not cover missing devices',
    );
  }
}

function checkNoDissimilarity(learning: LearningSpec, form: BoundForm): void {
  for (const name of ["dissimilarityFloor", "dissimilaritySlope"] as const) {
    if (learning[name] === undefined) continue;
    throw new InputError(
      `learning.${name}`,
      `a value with learning.form "${form}"`,
      'nothing, or learning.form "quadratic", which alone uses it',
    );
  }
}

function checkNothingMissed(residual: ResidualSpec | undefined, subspace: Subspace["kind"]): void {
  for (const name of ["spectrum", "smoothness"] as const) {
    if (residual?.[name] === undefined) continue;
    const why = `nothing: with "${subspace}" no weights are out of reach; L is learning.smoothness, that in the weights`;
    throw new InputError(`lora.residual.${name}`, "a value", why);
  }
}

function checkNonConvex(learning: LearningSpec, lora: LoraSpec): void {
  if (learning.plConstant !== undefined) {
    const { plConstant } = learning;
    const found = typeof plConstant === "number" ? `${plConstant}` : `${plConstant.length} values`;
    throw new InputError("learning.plConstant", found, "nothing: the non-convex form has no PL constant");
  }
  const kind = lora.residual?.kind;
  if (kind === "spectral" || kind === "frozen") {
    throw new InputError(
      "lora.residual.kind",
      `"${kind}" with learning.form "non-convex"`,
      'no residual, "projection" or "sketch": this form bounds gradients, which a residual of the loss does not enter',
    );
  }
}

const formAssumptions: Readonly<Record<BoundForm, string>> = {
  pl: "PL form: bound on the expected loss after the last round above its least value.",
  quadratic:
    "Quadratic form: bound on the expected loss after the last round above its least value, for losses of the devices that are " +
    "quadratic in loraB; for any correlation of the gradients.",
  "non-convex":
    "Non-convex form: bound on the mean over the rounds of the expected squared gradient norm, in the unit of the gradient squared.",
};

const sameSmoothness =
  "L_W, the smoothness in the weights that scales the residual, is taken to be learning.smoothness, which is right where " +
  "(alpha/r) s_max(loraA) = 1; lora.residual.smoothness states it otherwise.";

function regionAssumption(region: "global" | "sublevel", inWeights: boolean): string {
  const what = inWeights
    ? "Smoothness and PL constant, those of the loss in the weights,"
    : "The learning constants";
  return region === "global"
    ? `${what} hold everywhere.`
    : `${what} hold on a set that the iterates do not leave.`;
}

function factorAssumptions(trained: TrainedFactors, kind: ResidualKind | undefined): readonly string[] {
  if (trained === "both") return ["Both factors are trained and sent in every round."];
  if (trained === "alternating") {
    return ["loraB and loraA are trained in turn, and the constants hold for the factor of each round."];
  }
  switch (kind) {
    case "projection":
      return ["loraA is random orthonormal, drawn anew and merged in every round."];
    case "sketch":
      return ["loraA has independent normal entries of variance 1/r, drawn anew and merged in every round."];
    case "frozen":
      return ["loraA is frozen with a uniformly random row space; the residual is the mean over it."];
    case "spectral":
      return ["loraA is frozen and its rows contain the top right singular vectors of the weight change."];
    case undefined:
      return ["loraA is frozen."];
  }
}
