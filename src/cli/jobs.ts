import type { BeamformProblem } from "../aircomp/index.ts";
import type { Scenario } from "../bounds/index.ts";
import type { FigureName, FigureParameters, TaskResult } from "../figures/index.ts";

/** What a worker can be asked to do; plain data, so that it crosses threads. */
export type Job =
  | {
      readonly kind: "solve";
      readonly scenario: Scenario;
      readonly distortions: readonly (readonly [number, number])[];
    }
  | { readonly kind: "distortions"; readonly scenario: Scenario; readonly ranks: readonly number[] }
  | { readonly kind: "beamform"; readonly problem: BeamformProblem }
  | {
      readonly kind: "figure";
      readonly name: FigureName;
      readonly parameters: FigureParameters;
      readonly index: number;
    };

/** A document ready to be written, and whether its solver converged. */
export interface SolvedDocument {
  readonly text: string;
  readonly converged: boolean;
  /** Why no rank has a finite bound, if none has. */
  readonly noBound?: string;
}

export interface JobResults {
  readonly solve: SolvedDocument;
  readonly distortions: readonly (readonly [number, number])[];
  readonly beamform: SolvedDocument;
  readonly figure: TaskResult;
}

/** Errors do not keep their class across threads, so input errors travel as data. */
export type Reply<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly field: string; readonly found: string; readonly expected: string };

/** How far a worker is. */
export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly text: string;
}
