import { ComplexStack } from "../../linalg/index.ts";
import { alternate } from "../alternating.ts";
import { type SchemeResult, type SchemeSolver, stopRules } from "../scheme.ts";
import { bestAmplitude } from "../start.ts";
import { liftReceive, projectProblem, receiveSubspace, type Subspace } from "../subspaces.ts";

/**
 * `centroid`, `mrc`, `random`: baselines with a fixed receive subspace, inside which everything else is optimised by
 * the alternating algorithm with the budget that it has alone.
 */
export function subspaceScheme(name: Subspace): SchemeSolver {
  return (problem, { effort, seed, hooks }): SchemeResult => {
    const basis = receiveSubspace(name, problem, seed);
    const inner = projectProblem(problem, basis);
    const identity = new ComplexStack([problem.subcarriers, problem.streams, problem.streams]);
    for (let m = 0; m < problem.subcarriers; m++) {
      for (let i = 0; i < problem.streams; i++) identity.at(m).data[2 * i * (problem.streams + 1)] = 1;
    }
    const amplitude = bestAmplitude(inner, identity);
    const start = identity.data.map((x) => amplitude * x);
    const solved = alternate(inner, start, stopRules[effort], hooks);
    return { ...solved, receive: liftReceive(basis, solved.receive).data };
  };
}
