import { checkChoice, checkInteger, checkOptions, describe, InputError } from "../core/index.ts";
import {
  matchNames,
  type NamePattern,
  type NamePatterns,
  type ParameterInput,
  readParameters,
  tensorField,
} from "../core/parameters.ts";

/**
 * `frozen`: the same on all devices and never changed; `shared`: averaged over the devices every round; `private`: a
 * device trains and keeps its own.
 */
export type ParameterGroup = "frozen" | "shared" | "private";

const groupNames: readonly ParameterGroup[] = ["frozen", "shared", "private"];

/** Which tensors belong to which group. No pattern has precedence: a name in two groups is refused. */
export interface GroupPatterns {
  readonly frozen?: NamePatterns;
  readonly shared?: NamePatterns;
  readonly private?: NamePatterns;
  /**
   * Group of the names that no pattern matches. Default `frozen`: a trained tensor that was forgotten shows up in the first
   * aggregation, where frozen tensors must be the same on all devices.
   */
  readonly rest?: ParameterGroup;
}

/** Entries per tensor instead of tensors, for models that are not in memory. */
export type ParameterSizes = Readonly<Record<string, number>> | ReadonlyMap<string, number>;

export interface GroupOptions extends GroupPatterns {
  /** Named tensors, or their entries; values are not read. */
  readonly parameters: ParameterInput | ParameterSizes;
  /** Of a plan; not read. */
  readonly name?: string;
}

/** Every name of the parameters once, in their order. */
export interface ParameterGroups {
  readonly frozen: readonly string[];
  readonly shared: readonly string[];
  readonly private: readonly string[];
}

/**
 * Sorts tensors into the three groups by name patterns, for example those of a plan:
 * `groupParameters({ parameters, ...plan })`.
 *
 * @throws InputError naming the pattern that matches no tensor, or a tensor of another group.
 */
export function groupParameters(options: GroupOptions): ParameterGroups {
  checkOptions(options, "groupParameters", ["parameters", "name", ...groupNames, "rest"]);
  const { parameters, ...plan } = options;
  return groupsOf(readSizes(parameters, "parameters"), plan);
}

/** The groups of names that were checked; `prefix` is what their patterns are called in messages ("plan.", say). */
export function groupsOf(
  names: ReadonlyMap<string, unknown>,
  plan: GroupPatterns & { readonly name?: string },
  prefix = "",
): ParameterGroups {
  const rest = checkChoice(plan.rest ?? "frozen", `${prefix}rest`, groupNames);
  const found = new Map<string, { readonly group: ParameterGroup; readonly pattern: string }>();
  for (const group of groupNames) {
    for (const { pattern, field } of listed(plan[group], `${prefix}${group}`)) {
      for (const name of matchNames(names, pattern, field)) {
        const other = found.get(name);
        if (other !== undefined && other.group !== group) {
          const conflict = `${String(pattern)}, which matches "${name}" as ${other.pattern} of ${other.group} does`;
          throw new InputError(field, conflict, "every tensor in one group");
        }
        found.set(name, { group, pattern: String(pattern) });
      }
    }
  }
  const groups: Record<ParameterGroup, string[]> = { frozen: [], shared: [], private: [] };
  for (const name of names.keys()) groups[found.get(name)?.group ?? rest].push(name);
  return groups;
}

/** @throws InputError on unknown names, for plans that came from JSON. */
export function checkPlan<T extends GroupPatterns>(plan: T, field: string): T {
  checkOptions(plan, field, ["name", ...groupNames, "rest"]);
  return plan;
}

/** Entries per tensor, of tensors or of their sizes. @throws InputError naming the tensor. */
export function readSizes(value: unknown, field: string): ReadonlyMap<string, number> {
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  const entries: [unknown, unknown][] =
    value instanceof Map ? [...value] : isObject ? Object.entries(value) : [];
  if (
    entries.length > 0 &&
    !ArrayBuffer.isView(value) &&
    entries.every(([, size]) => typeof size === "number")
  ) {
    return new Map(
      entries.map(([name, size]) => {
        if (typeof name !== "string") throw new InputError(field, `the name ${describe(name)}`, "names");
        return [name, checkInteger(size, tensorField(field, name), 0)];
      }),
    );
  }
  return new Map([...readParameters(value, field)].map(([name, { length }]) => [name, length]));
}

function listed(
  patterns: NamePatterns | undefined,
  field: string,
): { readonly pattern: NamePattern; readonly field: string }[] {
  if (patterns === undefined) return [];
  if (!Array.isArray(patterns)) return [{ pattern: patterns as NamePattern, field }];
  // Array.from sees holes too
  return Array.from(patterns as (NamePattern | undefined)[], (pattern, i) => {
    const own = `${field}[${i}]`;
    if (pattern === undefined) throw new InputError(own, "nothing", "a string with * and ?, or a RegExp");
    return { pattern, field: own };
  });
}
