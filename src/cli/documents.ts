import type { BeamformerDesign, BeamformProblem, LinkDistortion } from "../aircomp/index.ts";
import type { GapMinimum, Scenario } from "../bounds/index.ts";
import { canonicalJson, toComplexJson, version } from "../core/index.ts";

/** Version of the layout of result files; it changes when a field changes its meaning or goes away. */
export const schemaVersion = 1;

/** The result of `airfold solve`. */
export function solveDocument(scenario: Scenario, result: GapMinimum): string {
  const { design, ...rest } = result;
  return canonicalJson({
    airfold: version,
    schemaVersion,
    seed: scenario.solver?.seed ?? 1,
    ...dropUndefined(rest),
    byRank: result.byRank.map(dropUndefined),
    design: designJson(design),
  });
}

/** The result of `airfold beamform`. */
export function beamformDocument(
  problem: BeamformProblem,
  design: BeamformerDesign,
  link: LinkDistortion,
): string {
  return canonicalJson({
    airfold: version,
    schemaVersion,
    seed: problem.solver?.seed ?? 1,
    ...designJson(design),
    // for the link's correlation (the cap, where it asks for that), and on the true channel of an estimate
    link,
  });
}

function designJson(design: BeamformerDesign): object {
  if (design.kind !== "analog") return design;
  return { ...design, receive: toComplexJson(design.receive), transmit: toComplexJson(design.transmit) };
}

function dropUndefined(record: object): object {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
