import { type LinkSpec, linkOptions, type Scheme } from "../aircomp/index.ts";
import { InputError, parseInput, renameField } from "../core/index.ts";
import { type LayerRankFrontier, layerRankFrontier } from "./layer-ranks.ts";
import { type GapResult, optimalityGap } from "./optimality-gap.ts";
import { payloadEntries, sharedField, sharedLayers, symbolPower, tensorEntries } from "./payload.ts";
import { type RankPayload, type RankProblem, rankProblem } from "./scenario.ts";
import { type Scenario, scenarioSchema } from "./scenario-schema.ts";
import { singularValues } from "./spectrum.ts";
import { gallop, smallest } from "./thresholds.ts";
import { roundsWithin } from "./training-mode.ts";

/**
 * A scenario with ranks per layer: wherever a {@link RankProblem} has a rank, this has the OFDM symbols n of a round, and n
 * stands for the best ranks that fit into them. `maxRank` is the largest n that improves anything within the budgets.
 */
export interface LayerProblem extends RankProblem {
  /** Most of any layer, as the scenario has it. */
  readonly largestRank: number;
  /** The smallest n above this one with a smaller residual; undefined beyond `maxRank`. */
  candidateAbove(symbols: number): number | undefined;
  /** r_l: per layer, the ranks of its copies; none for a private layer. */
  ranksAt(symbols: number): readonly (readonly number[])[];
  /** The smallest bound of any n in from..to with a distortion of at least this. */
  leastGap(from: number, to: number, distortion: number): number;
  /** What is known of the least omega between two n (docs/layer-ranks.md, section 5). */
  shapeBetween(from: number, to: number): "concave" | "sublinear" | "increasing";
}

/** Schemes whose designs are the best of a set that contains (A / c, c B) with (A, B). */
const closedUnderScaling: readonly Scheme[] = [
  "manifold",
  "alternating",
  "uniform-forcing",
  "sdr",
  "sca",
  "mrc",
  "centroid",
  "random",
  "channel-inversion",
  "ideal",
];

/** Ratios of powers that differ by less than this are equal. */
const EQUAL = 1e-12;

/**
 * Checks a scenario whose `lora.ranks` is "per-layer" and builds what its search needs.
 *
 * @throws InputError naming the field that is missing, unknown, out of range, impossible, or without a meaning here.
 */
export function layerProblem(scenario: Scenario): LayerProblem {
  const parsed = parseInput(scenarioSchema, scenario);
  checkLayerScenario(parsed);
  const { learning, lora } = parsed;
  const base = rankProblem(withoutBudgets(scenario));
  const link = parsed.link as Required<Omit<LinkSpec, "weights">> & Pick<LinkSpec, "weights">;
  const { power } = linkOptions(link, base.channel);
  const energy = link.energyPerRound;
  const energyOf = (k: number): number | null =>
    typeof energy === "number" ? energy : energy === null ? null : energy[k]!;
  const duration = link.symbolDuration;
  const perSymbol = 2 * base.streams * base.channel.subcarriers;
  const smoothness = lora.residual!.smoothness ?? (learning.smoothness as number);
  const roundsAt = (symbols: number): number => roundsWithin(learning, symbols * duration);

  const { payload = {} } = lora;
  const { fixed } = tensorEntries(payload);
  const shared = sharedLayers(lora.layers, payload);
  /** What n symbols leave for the ranks. */
  const budgetAt = (symbols: number): number => Math.max(0, symbols * perSymbol - fixed);

  const most = mostSymbols(parsed, perSymbol, duration);
  const nameOf = (field: string): string => loraField(sharedField(payload, field));
  const frontier: LayerRankFrontier = renameField(nameOf, () =>
    layerRankFrontier({
      layers: shared,
      ...(lora.residual!.spectrum === undefined ? {} : { spectrum: lora.residual!.spectrum }),
      trained: lora.trained!,
      maxRank: parsed.solver!.maxRank!,
      budgetLimit: budgetAt(most),
    }),
  );
  const last = Math.ceil((frontier.maxEntries + fixed) / perSymbol);
  const tails = new Map<number, number>();
  const tailAt = (symbols: number): number => {
    let tail = tails.get(symbols);
    if (tail === undefined) {
      tail = frontier.tailWithin(budgetAt(symbols));
      tails.set(symbols, tail);
    }
    return tail;
  };
  const residualAt = (symbols: number): number => (smoothness / 2) * tailAt(symbols);
  const above = new Map<number, number | undefined>();
  const boundAt = (symbols: number, distortion: number | ArrayLike<number>): GapResult =>
    optimalityGap(gapInput(symbols, distortion));
  const gapInput: RankProblem["gapInput"] = (symbols, distortion) => ({
    ...base.gapInput(1, distortion),
    rounds: roundsAt(symbols),
    residual: residualAt(symbols),
  });
  const payloadAt = (symbols: number): RankPayload => {
    const airTime = symbols * duration;
    return {
      get entries() {
        return fixed + frontier.entriesWithin(budgetAt(symbols));
      },
      symbols,
      airTime,
      delay: airTime + (learning.computeTime ?? 0),
      power: power.map((peak, k) => symbolPower(peak, energyOf(k), airTime)),
      rounds: roundsAt(symbols),
    };
  };

  return {
    ...base,
    solver: { ...(parsed.solver as RankProblem["solver"]) },
    maxRank: last,
    largestRank: parsed.solver!.maxRank!,
    assumptions: [...base.assumptions, ...layerAssumptions(parsed)],
    payloadAt,
    boundAt,
    gapInput,
    slopeAt: (_, distortion) => base.slopeAt(1, distortion),
    candidateAbove: (symbols) => {
      if (!above.has(symbols)) {
        const tail = tailAt(symbols);
        const found = symbols < last && tailAt(last) < tail;
        above.set(symbols, found ? gallop(symbols, last, (n) => tailAt(n) < tail) : undefined);
      }
      return above.get(symbols);
    },
    ranksAt: (symbols) => {
      const ranks = frontier.ranksWithin(budgetAt(symbols));
      return lora.layers.map((layer) => ranks[shared.indexOf(layer)] ?? []);
    },
    leastGap: (from, to, distortion) => {
      const input = { ...base.gapInput(1, distortion), residual: residualAt(to) };
      const [most, least] = [roundsAt(from), roundsAt(to)];
      const gap = optimalityGap({ ...input, rounds: most }).gap;
      // for one split of the errors the bound is monotone in the rounds, up or down
      return most === least ? gap : Math.min(gap, optimalityGap({ ...input, rounds: least }).gap);
    },
    shapeBetween: (from, to) => {
      if (!closedUnderScaling.includes(base.solver.scheme)) return "increasing";
      const [more, less] = [payloadAt(from).power, payloadAt(to).power];
      const common = (ratio: number): boolean =>
        more.every((p, k) => Math.abs(p - ratio * less[k]!) <= EQUAL * p);
      return common(1) || common(to / from) ? "concave" : "sublinear";
    },
  };
}

/** What has no meaning with ranks per layer. */
function checkLayerScenario({ learning, lora, solver }: Scenario): void {
  const refuse = (field: string, found: string, expected: string): never => {
    throw new InputError(field, `${found} with lora.ranks "per-layer"`, expected);
  };
  if (learning.form !== "pl") {
    refuse("learning.form", `"${learning.form}"`, '"pl", the form whose residual decides between the layers');
  }
  const kind = lora.residual?.kind;
  if (kind === "frozen") {
    const why = "with a frozen random loraA every unit of rank of a layer is worth the same";
    refuse("lora.residual.kind", '"frozen"', `"spectral": ${why}, whatever its spectrum`);
  }
  if (kind === "projection" || kind === "sketch") {
    refuse(
      "lora.residual.kind",
      `"${kind}"`,
      '"spectral": nothing is out of reach there that ranks could share',
    );
  }
  const { payload = {} } = lora;
  if (payload.layers?.length === 0)
    refuse("lora.payload.layers", "no layer", "a layer that ranks are given to");
  if (tensorEntries(payload).perRank > 0) {
    refuse(
      "lora.payload.tensors",
      "entries per rank",
      "entries alone: there is no one rank that they could follow",
    );
  }
  const constants = [
    "smoothness",
    "plConstant",
    "gradientFloor",
    "gradientSlope",
    "stochasticVariance",
  ] as const;
  for (const name of constants) {
    const value = learning[name];
    if (typeof value === "object") {
      refuse(
        `learning.${name}`,
        `${value.length} values`,
        "one number: there is no one rank to look it up by",
      );
    }
  }
  const search = solver!.rankSearch!;
  if (typeof search === "object" || search === "random") {
    refuse(
      "solver.rankSearch",
      JSON.stringify(search),
      '"backtracking" or "exhaustive"; one rank for all is "uniform"',
    );
  }
  if (solver!.initialRank !== undefined) {
    refuse("solver.initialRank", `${solver!.initialRank}`, "nothing: the search is over OFDM symbols");
  }
}

/** The scenario at rank 1 without the budgets that rank 1 of all layers might not meet: channel, link and constants. */
function withoutBudgets(scenario: Scenario): Scenario {
  const { learning, solver } = scenario;
  const timed = typeof learning.totalTime === "number";
  const { initialRank: _, ...rest } = solver ?? {};
  return {
    ...scenario,
    link: { ...scenario.link, latencyPerRound: null },
    learning: timed
      ? { ...learning, totalTime: null, computeTime: 0, rounds: learning.rounds ?? 1 }
      : learning,
    lora: { ...scenario.lora, ranks: "uniform" },
    solver: { ...rest, rankSearch: { fixed: 1 }, maxRank: 1 },
  };
}

/**
 * The most OFDM symbols within the latency budget and for one round in the total time.
 *
 * @throws InputError where no layer fits into them at rank 1, or no singular value is positive.
 */
function mostSymbols(
  { link, learning, lora, solver }: Scenario,
  perSymbol: number,
  duration: number,
): number {
  const { payload = {} } = lora;
  const { fixed } = tensorEntries(payload);
  const shared = sharedLayers(lora.layers, payload);
  const widths = shared.flatMap((layer) => {
    const field =
      layer.spectrum === undefined ? "spectrum" : `layers[${lora.layers.indexOf(layer)}].spectrum`;
    const spectrum = layer.spectrum ?? lora.residual!.spectrum!;
    const size = Math.min(layer.dOut, layer.dIn);
    const [largest] = renameField(loraField, () => singularValues(spectrum, size, field));
    return largest! > 0 ? [payloadEntries([{ ...layer, count: 1 }], 1, lora.trained!)] : [];
  });
  if (widths.length === 0) {
    const why = "a positive singular value in some layer: a rank above 0 has nothing to reach";
    throw new InputError("lora.residual.spectrum", "zeros alone", why);
  }
  const least = Math.ceil((Math.min(...widths) + fixed) / perSymbol);
  // twice: factors trained in turn are charged the larger one of every layer
  const all = 2 * renameField(loraField, () => payloadEntries(shared, solver!.maxRank!, lora.trained!));
  const most = Math.ceil((all + fixed) / perSymbol);
  const within = (fits: (symbols: number) => boolean): number =>
    fits(most) ? most : fits(1) ? smallest(1, most, (n) => !fits(n)) - 1 : 0;
  const latency = link!.latencyPerRound!;
  const inTime = within((n) => latency === null || n * duration <= latency);
  const round = least * duration;
  const what = `the air time of rank 1 in the layer with the fewest entries`;
  if (inTime < least) {
    throw new InputError("link.latencyPerRound", `${latency} s`, `at least ${round} s, ${what}`);
  }
  const inTotal = learning.rounds === 0 ? most : within((n) => roundsWithin(learning, n * duration) >= 1);
  if (inTotal < least) {
    const time = (learning.computeTime ?? 0) + round;
    const expected = `at least ${time} s, one round of ${what}, with its computation`;
    throw new InputError("learning.totalTime", `${learning.totalTime} s`, expected);
  }
  return Math.min(inTime, inTotal);
}

function layerAssumptions({ lora }: Scenario): readonly string[] {
  const ranks =
    "Every weight matrix has its own rank, and the learning constants hold for all choices of ranks.";
  if (lora.trained !== "alternating") return [ranks];
  return [
    ranks,
    "Factors trained in turn: every matrix is charged the larger of its two factors in every round.",
  ];
}

/** Arguments of the frontier under the names that the scenario has for them. */
function loraField(field: string): string {
  if (field.startsWith("layers")) return `lora.${field}`;
  return field.startsWith("spectrum") ? `lora.residual.${field}` : `solver.${field}`;
}
