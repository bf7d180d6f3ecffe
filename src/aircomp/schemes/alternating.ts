import { alternate } from "../alternating.ts";
import { type SchemeContext, type SchemeResult, stopRules } from "../scheme.ts";
import { bestAmplitude } from "../start.ts";
import { receiveSubspace } from "../subspaces.ts";
import { createBlockUpdates, type TransceiverProblem } from "../updates.ts";

/** `alternating`: exact transmit and receive updates in turn, from the better of two cheap subspaces. */
export function alternatingScheme(problem: TransceiverProblem, context: SchemeContext): SchemeResult {
  const rule = stopRules[context.effort];
  const start = context.initial ?? informedStart(problem, context.seed);
  if (context.initial !== undefined || problem.correlation === undefined) {
    return alternate(problem, start, rule, context.hooks);
  }
  // device by device the updates for correlated devices crawl; the answer for independent ones is a better start
  const { correlation: _coupled, ...independent } = problem;
  const { signal } = context.hooks;
  const prepared = alternate(independent, start, rule, signal === undefined ? {} : { signal });
  return alternate(problem, prepared.receive, rule, context.hooks);
}

/** The better of two cheap subspaces, each with its best amplitude: receive beamformers [M, Nr, S]. */
export function informedStart(problem: TransceiverProblem, seed: number): Float64Array {
  const updates = createBlockUpdates(problem);
  const size = 2 * problem.devices * problem.subcarriers * problem.transmitAntennas * problem.streams;
  let best: { start: Float64Array; mse: number } | undefined;
  for (const name of ["mrc", "centroid"] as const) {
    const basis = receiveSubspace(name, problem, seed);
    const amplitude = bestAmplitude(problem, basis);
    const start = basis.data.map((x) => amplitude * x);
    const transmit = new Float64Array(size);
    updates.transmit(transmit, start);
    // one receive update shows what the start leads to: it frees the amplitudes of the single streams
    const mse = updates.receive(start.slice(), transmit);
    if (best === undefined || mse < best.mse) best = { start, mse };
  }
  return best!.start;
}
