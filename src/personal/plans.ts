import { checkChoice, checkOptions, describe, InputError } from "../core/index.ts";
import type { NamePattern, NamePatterns } from "../core/parameters.ts";
import type { GroupPatterns } from "./groups.ts";

/**
 * Which parts of the model are shared. `vanilla`: all that is trained; `lora-shared`: the LoRA factors; `local-only`: nothing;
 * `adapters-shared`: the adapters (PFTT); `last-layers-shared`: the last layers (PFIT); `split`: all but the head.
 */
export type SharingPlanName =
  | "vanilla"
  | "lora-shared"
  | "local-only"
  | "adapters-shared"
  | "last-layers-shared"
  | "split";

export const sharingPlanNames: readonly SharingPlanName[] = [
  "vanilla",
  "lora-shared",
  "local-only",
  "adapters-shared",
  "last-layers-shared",
  "split",
];

/** Patterns with a name: plain data, and JSON where the patterns are strings. */
export interface SharingPlan extends GroupPatterns {
  readonly name: string;
}

/**
 * Names of what is trained, by part of the model. Parts must not overlap; those that the model does not have are left out. All
 * other tensors are frozen.
 */
export interface ModelParts {
  readonly lora?: NamePatterns;
  readonly adapters?: NamePatterns;
  readonly lastLayers?: NamePatterns;
  /** Trained layers that are none of the others. */
  readonly body?: NamePatterns;
  readonly head?: NamePatterns;
}

/** Parts by their usual names, for models that have all three. */
export const conventionalParts: ModelParts = {
  lora: "*lora*",
  adapters: "*adapter*",
  head: "*head.*",
};

type PartName = keyof ModelParts;

const partNames: readonly PartName[] = ["lora", "adapters", "lastLayers", "body", "head"];

/** The part that a plan is about, and has to be there. */
const subjects: Readonly<Record<SharingPlanName, PartName | undefined>> = {
  vanilla: undefined,
  "lora-shared": "lora",
  "local-only": undefined,
  "adapters-shared": "adapters",
  "last-layers-shared": "lastLayers",
  split: "head",
};

/**
 * A baseline as patterns: the parts of the plan are shared, the other parts private, all else frozen.
 *
 * @param parts names of the model at hand; default {@link conventionalParts}
 * @throws InputError on an unknown plan or part, no parts, what is no pattern, or without the part that the plan is about.
 */
export function sharingPlan(name: SharingPlanName, parts: ModelParts = conventionalParts): SharingPlan {
  checkChoice(name, "name", sharingPlanNames);
  checkOptions(parts, "parts", partNames);
  const present = partNames.filter((part) => listed(parts[part], part).length > 0);
  if (present.length === 0) throw new InputError("parts", "no patterns", `one of ${partNames.join(", ")}`);
  const subject = subjects[name];
  if (subject !== undefined && !present.includes(subject)) {
    throw new InputError(`parts.${subject}`, "no patterns", `those of the part that "${name}" is about`);
  }
  const shared = present.filter((part) => {
    if (name === "vanilla") return true;
    return name === "split" ? part !== "head" : part === subject;
  });
  const patterns = (chosen: readonly PartName[]): NamePattern[] =>
    chosen.flatMap((part) => listed(parts[part], part));
  return {
    name,
    shared: patterns(shared),
    private: patterns(present.filter((part) => !shared.includes(part))),
    rest: "frozen",
  };
}

function listed(patterns: NamePatterns | undefined, part: PartName): readonly NamePattern[] {
  if (patterns === undefined) return [];
  const isList = Array.isArray(patterns);
  return Array.from(isList ? patterns : [patterns], (pattern: unknown, i) => {
    if (typeof pattern === "string" || pattern instanceof RegExp) return pattern;
    const field = isList ? `parts.${part}[${i}]` : `parts.${part}`;
    throw new InputError(field, describe(pattern), "a string with * and ?, or a RegExp");
  });
}
