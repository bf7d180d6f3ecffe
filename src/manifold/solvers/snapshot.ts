import { describe, InputError } from "../../core/index.ts";
import {
  finish,
  type Iteration,
  iterateFrom,
  type MinimizeOptions,
  type MinimizeResult,
  prepare,
} from "../driver.ts";
import type { Evaluations, Evaluator, Problem } from "../problem.ts";
import type { SolverState } from "../solver.ts";

/** Plain data: what JSON.stringify writes and JSON.parse reads without loss. */
export type PlainData =
  | null
  | boolean
  | number
  | string
  | readonly PlainData[]
  | { readonly [name: string]: PlainData };

/** A saved run: enough to go on bit for bit, with the same problem and a solver of the same settings. */
export interface Snapshot {
  readonly format: "airfold run";
  readonly formatVersion: 1;
  readonly solver: string;
  readonly manifold: string;
  readonly evaluations: Readonly<Evaluations>;
  readonly state: PlainData;
}

/** The present iterate of `iterate` as plain data; to be taken before the generator goes on. */
export function snapshot<P>(iteration: Iteration<P>): Snapshot {
  const { solver, manifold, evaluations, state } = iteration;
  if (state?.iteration !== iteration.row?.iteration) {
    throw new InputError("iteration", "an iterate that the run has left", "the one yielded last");
  }
  return {
    format: "airfold run",
    formatVersion: 1,
    solver,
    manifold,
    evaluations: { ...evaluations },
    state: encode(state),
  };
}

/**
 * Goes on where the snapshot was taken; rows begin with its iterate, and counts include those before it. A run that
 * was aborted, or ended by a stopping rule, goes on under the new options.
 *
 * @throws InputError if the snapshot is not one, or is of another solver or manifold.
 */
export function resume<P>(problem: Problem<P>, saved: Snapshot, options: MinimizeOptions): MinimizeResult<P> {
  const { evaluator, state } = restore(problem, saved, options);
  return finish(problem, evaluator, state, options);
}

/** The same, one iterate at a time, as `iterate`. */
export function* resumeIterating<P>(
  problem: Problem<P>,
  saved: Snapshot,
  options: MinimizeOptions,
): Generator<Iteration<P>, MinimizeResult<P>, undefined> {
  const { evaluator, state } = restore(problem, saved, options);
  return yield* iterateFrom(problem, evaluator, state, options);
}

function restore<P>(
  problem: Problem<P>,
  saved: Snapshot,
  options: MinimizeOptions,
): { evaluator: Evaluator; state: SolverState } {
  const evaluator = prepare(problem, options);
  if (saved?.format !== "airfold run" || saved.formatVersion !== 1) {
    throw new InputError("snapshot", describe(saved), "what snapshot() returned, of format version 1");
  }
  for (const [name, mine] of [
    ["solver", options.solver.name],
    ["manifold", problem.manifold.name],
  ] as const) {
    if (saved[name] !== mine) throw new InputError(`snapshot.${name}`, describe(saved[name]), `"${mine}"`);
  }
  const state = decode(saved.state, evaluator.size) as SolverState | null;
  if (!(state?.x instanceof Float64Array) || state.x.length !== evaluator.size) {
    throw new InputError("snapshot.state", "no point of the manifold", `${evaluator.size} numbers`);
  }
  Object.assign(evaluator.evaluations, saved.evaluations);
  return { evaluator, state };
}

/** Numbers that JSON does not know are strings; scratch buffers are only counted. */
function encode(value: unknown): PlainData {
  if (typeof value === "number") return encodeNumber(value);
  if (value instanceof Float64Array) return { float64: Array.from(value, encodeNumber) };
  if (Array.isArray(value)) return value.map(encode);
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value).filter(([, part]) => part !== undefined);
    return Object.fromEntries(
      entries.map(([name, part]) => [
        name,
        name === "scratch" ? { buffers: (part as readonly unknown[]).length } : encode(part),
      ]),
    );
  }
  return value as PlainData;
}

function encodeNumber(value: number): PlainData {
  if (Object.is(value, -0)) return { number: "-0" };
  return Number.isFinite(value) ? value : { number: String(value) };
}

function decode(value: PlainData, size: number): unknown {
  if (Array.isArray(value)) return value.map((part) => decode(part, size));
  if (value === null || typeof value !== "object") return value;
  const { float64, buffers, number } = value as { readonly [name: string]: PlainData };
  if (typeof number === "string") return Number(number);
  if (Array.isArray(float64)) return Float64Array.from(float64, (part) => decode(part, size) as number);
  if (typeof buffers === "number") return Array.from({ length: buffers }, () => new Float64Array(size));
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, decode(part, size)]));
}
