import { describe, InputError } from "../core/index.ts";
import type { ParameterSet } from "../core/parameters.ts";

/** One row of numbers per sample, all of one length: logits, or whatever the model returns. */
export type OutputRows = readonly ArrayLike<number>[];

/**
 * Outputs of the model at the given parameters. `inputs` is what was given for the task and is only passed on, so any
 * training stack will do; `task` chooses the head where tasks have heads of their own.
 */
export type Model<Inputs> = (
  parameters: ParameterSet,
  inputs: Inputs,
  task: number,
) => OutputRows | Promise<OutputRows>;

/** J(x) v: the derivative of every output along `direction`, which has every tensor of the base. */
export type JacobianProduct<Inputs> = (
  parameters: ParameterSet,
  direction: ParameterSet,
  inputs: Inputs,
  task: number,
) => OutputRows | Promise<OutputRows>;

/** Outputs as one row-major block. */
export interface Outputs {
  readonly samples: number;
  readonly width: number;
  readonly data: Float64Array;
}

/** What a model is called on. */
export interface Caller<Inputs> {
  readonly inputs: readonly Inputs[];
  readonly field: string;
  readonly call: (parameters: ParameterSet, inputs: Inputs, task: number) => unknown;
}

/**
 * Calls the model and copies its outputs. Entries may be anything that is a number, NaN included.
 *
 * @throws InputError on rows that are missing, or of other numbers or lengths than those of `like`.
 */
export async function outputsOf<Inputs>(
  caller: Caller<Inputs>,
  parameters: ParameterSet,
  task: number,
  like?: Outputs,
): Promise<Outputs> {
  const field = `${caller.field} (task ${task})`;
  const rows: unknown = await caller.call(parameters, caller.inputs[task]!, task);
  if (!Array.isArray(rows) || rows.length === 0) {
    throw new InputError(field, `${describe(rows)} returned`, "an array of rows, one per sample");
  }
  const samples = like?.samples ?? rows.length;
  const width = like?.width ?? (rows[0] as ArrayLike<number>)?.length ?? 0;
  if (rows.length !== samples) throw new InputError(field, `${rows.length} rows`, `${samples}, as before`);
  const data = new Float64Array(samples * width);
  Array.from(rows as readonly ArrayLike<number>[]).forEach((row, s) => {
    if (!row || typeof row !== "object" || row.length !== width || width === 0) {
      throw new InputError(`${field}: row ${s}`, describe(row), `${width || "some"} numbers`);
    }
    for (let i = 0; i < width; i++) {
      if (typeof row[i] !== "number")
        throw new InputError(`${field}: row ${s}[${i}]`, describe(row[i]), "a number");
      data[s * width + i] = row[i]!;
    }
  });
  return { samples, width, data };
}

/** One entry of `inputs` per task. @throws InputError otherwise, or where the model is no function. */
export function checkCaller<Inputs>(
  call: Model<Inputs>,
  inputs: readonly Inputs[],
  tasks: number,
): Caller<Inputs> {
  if (typeof call !== "function")
    throw new InputError("model", describe(call), "a function of parameters, inputs and task");
  if (!Array.isArray(inputs) || inputs.length !== tasks) {
    throw new InputError("inputs", describe(inputs), `an array of ${tasks} entries, one per task`);
  }
  return { call, inputs, field: "model" };
}

/** Index of the largest value, the first of equal ones; -1 if one is NaN. */
export function argMax(values: ArrayLike<number>, offset = 0, count: number = values.length): number {
  let best = offset;
  for (let i = offset; i < offset + count; i++) {
    if (Number.isNaN(values[i]!)) return -1;
    if (values[i]! > values[best]!) best = i;
  }
  return best - offset;
}
