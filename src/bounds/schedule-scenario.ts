/** The energy schedule of a scenario: its link gives the distortion curve, its learning the bound. */
import type { AnalogDesign } from "../aircomp/index.ts";
import { checkInteger, checkOptions, checkPositive, describe, InputError } from "../core/index.ts";
import { type CurveOptions, type DistortionCurve, designAtPower, growingCurve } from "./distortion-curve.ts";
import { type EnergySchedule, energySchedule } from "./energy-schedule.ts";
import { rankProblem } from "./scenario.ts";
import type { Scenario } from "./scenario-schema.ts";

export interface ScheduleOptions {
  /** r, 1 <= r <= the largest feasible rank of the scenario. */
  readonly rank: number;
  /**
   * E_k over all rounds, one number or one per device, in units of the noise variance times seconds. Default: rounds times
   * `link.energyPerRound`.
   */
  readonly energyTotal?: number | readonly number[];
  readonly signal?: AbortSignal;
}

export interface ScenarioSchedule {
  readonly rank: number;
  /** N_sym T_s, seconds per round. */
  readonly airTime: number;
  /** P_k of the K devices where the energy is spread evenly: power 1 of the curve. */
  readonly power: Float64Array;
  /** Peak power, in multiples of `power`: min_k Pmax_k / P_k. */
  readonly peak: number;
  /** Energies in multiples of the even share; round t has P_k schedule.energy[t]. */
  readonly schedule: EnergySchedule;
  readonly curve: DistortionCurve;
  /** Beamformers of round t (0 to T - 1). */
  designAt(round: number): AnalogDesign;
}

/** Designs further than this from the even share are rescaled from the nearest one. */
const WIDEST_DB = 40;
const PASSES = 6;

/**
 * Spreads a total energy over the rounds of a scenario at a given rank so that the bound on the gap is smallest. All
 * devices are scaled alike, so the device nearest to its peak power limits all. The peak powers are those of `link.snrDb`,
 * the constants those of `learning`, and `schedule.uniformGap` is the gap of the same energy spread evenly.
 *
 * Designs are made on a grid of powers 1.5 dB apart that grows until it encloses every power the schedule uses (within 40 dB of
 * the even share).
 *
 * @throws InputError on a rank out of range, no energy, a scheme without analog beamformers, or a bad scenario.
 */
export function scheduleScenario(scenario: Scenario, options: ScheduleOptions): ScenarioSchedule {
  checkOptions(options, "scheduleScenario", ["rank", "energyTotal", "signal"]);
  const { signal } = options;
  const given = rankProblem(scenario);
  const peaks = rankProblem({ ...scenario, link: { ...scenario.link, energyPerRound: null } });
  const rank = checkInteger(options.rank, "rank", 1, given.maxRank);
  const { scheme, effort, seed } = given.solver;
  if (scheme === "digital" || scheme === "ideal") {
    throw new InputError("solver.scheme", `"${scheme}"`, "a scheme with analog beamformers");
  }
  const { airTime, power: most } = peaks.payloadAt(rank);
  const learning = given.gapInput(rank, 0);
  const { rounds } = learning;
  const energies = totals(options.energyTotal, scenario, rounds, most.length);
  const even = most.map((_, k) => energies[k]! / Math.max(1, rounds) / airTime);
  const peak = most.reduce((least, limit, k) => Math.min(least, limit / even[k]!), Number.POSITIVE_INFINITY);

  const { channel, streams, noiseVariance, weights, correlation } = given;
  const link = { channel, streams, noiseVariance, power: even };
  const solver: Pick<CurveOptions, "scheme" | "effort" | "seed"> = { scheme, effort, seed };
  const growing = growingCurve(
    {
      ...link,
      ...solver,
      ...(weights === undefined ? {} : { weights }),
      ...(correlation === undefined ? {} : { correlation }),
      ...(signal === undefined ? {} : { signal }),
    },
    // the cap is not what the options' R makes of a design
    scenario.link?.correlation === "cap" ? (design) => given.distortionOf(design).distortion : undefined,
  );
  const start = Math.min(1, peak);
  growing.cover(start, start);
  let curve = growing.curve();
  const { distortion: _none, ...constants } = learning;
  const solve = (): EnergySchedule =>
    energySchedule({ curve, learning: constants, energy: Math.max(1, rounds), peak });
  let schedule = solve();
  let [low, high] = [start, start];
  for (let pass = 0; pass < PASSES && signal?.aborted !== true; pass++) {
    const used = Array.from(schedule.energy).filter((p) => p > 0);
    const lowest = used.reduce((a, b) => Math.min(a, b), low);
    const highest = used.reduce((a, b) => Math.max(a, b), high);
    const wanted = [
      Math.max(lowest, 10 ** (-WIDEST_DB / 10) * start),
      Math.min(highest, 10 ** (WIDEST_DB / 10) * start),
    ] as const;
    if (wanted[0] >= low && wanted[1] <= high && pass > 0) break;
    [low, high] = wanted;
    growing.cover(low, high);
    curve = growing.curve();
    schedule = solve();
  }
  return {
    rank,
    airTime,
    power: even,
    peak,
    schedule,
    curve,
    designAt: (round) => designOf(curve, schedule, checkInteger(round, "round", 0, rounds - 1)),
  };
}

/** A silent round has the silent design, whatever power it is asked for. */
function designOf(curve: DistortionCurve, schedule: EnergySchedule, round: number): AnalogDesign {
  const power = schedule.energy[round]!;
  if (power > 0) return designAtPower(curve, power);
  const { design } = curve.modes[0]!;
  if (design === undefined || design.receive.data.some((x) => x !== 0)) {
    throw new InputError("curve", "no silent design", "a curve from distortionCurve");
  }
  return design;
}

function totals(
  given: ScheduleOptions["energyTotal"],
  scenario: Scenario,
  rounds: number,
  devices: number,
): number[] {
  const perRound = scenario.link?.energyPerRound ?? null;
  const value =
    given ??
    (perRound === null
      ? null
      : typeof perRound === "number"
        ? perRound * Math.max(1, rounds)
        : perRound.map((energy) => energy * Math.max(1, rounds)));
  if (value === null) {
    throw new InputError("energyTotal", "nothing", "an energy, here or as link.energyPerRound");
  }
  if (typeof value === "number") {
    return new Array<number>(devices).fill(checkPositive(value, "energyTotal"));
  }
  if (!Array.isArray(value) || value.length !== devices) {
    throw new InputError("energyTotal", describe(value), `one number, or ${devices}, one per device`);
  }
  return value.map((energy: number, k: number) => checkPositive(energy, `energyTotal[${k}]`));
}
