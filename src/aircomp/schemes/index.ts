/** The analog schemes by name. A new one is a file of this folder and a line here. */
import type { SchemeSolver } from "../scheme.ts";
import { alternatingScheme } from "./alternating.ts";
import { channelInversionScheme } from "./channel-inversion.ts";
import { manifoldScheme } from "./manifold.ts";
import { scaScheme } from "./sca.ts";
import { sdrScheme } from "./sdr.ts";
import { subspaceScheme } from "./subspace.ts";
import { uniformForcingScheme } from "./uniform-forcing.ts";

/** What `designBeamformers` can be asked for; docs/choosing-a-scheme.md tells them apart. */
export type AnalogScheme =
  | "manifold"
  | "uniform-forcing"
  | "alternating"
  | "centroid"
  | "mrc"
  | "random"
  | "channel-inversion"
  | "sdr"
  | "sca";

export const analogSchemes: Readonly<Record<AnalogScheme, SchemeSolver>> = {
  manifold: manifoldScheme,
  "uniform-forcing": uniformForcingScheme,
  alternating: alternatingScheme,
  centroid: subspaceScheme("centroid"),
  mrc: subspaceScheme("mrc"),
  random: subspaceScheme("random"),
  "channel-inversion": channelInversionScheme,
  sdr: sdrScheme,
  sca: scaScheme,
};

/** Those that leave no misalignment: their MSE is noise, whatever the correlation of the devices. */
export const zeroForcingSchemes: readonly AnalogScheme[] = ["uniform-forcing", "sdr", "sca"];
