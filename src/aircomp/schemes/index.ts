/** The analog schemes by name. A new one is a file of this folder and a line here. */
import type { SchemeSolver } from "../scheme.ts";
import { alternatingScheme } from "./alternating.ts";
import { subspaceScheme } from "./subspace.ts";

/** What `designBeamformers` can be asked for; docs/choosing-a-scheme.md tells them apart. */
export type AnalogScheme = "alternating" | "centroid" | "mrc" | "random";

export const analogSchemes: Readonly<Record<AnalogScheme, SchemeSolver>> = {
  alternating: alternatingScheme,
  centroid: subspaceScheme("centroid"),
  mrc: subspaceScheme("mrc"),
  random: subspaceScheme("random"),
};
