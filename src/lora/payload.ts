import { checkChoice, checkInteger, checkOptions, InputError } from "../core/index.ts";
import { checkShapes, type LoraShape } from "./adapters.ts";
import { type AggregationMode, aggregationModes } from "./aggregate.ts";
import { checkRanks, type DeviceRanks } from "./ranks.ts";

export interface ModePayloadOptions {
  readonly mode: AggregationMode;
  /** Shapes; `rank` is that of every device, in "padded" the largest. */
  readonly layers: readonly LoraShape[];
  readonly devices: number;
  /** "stacked": ranks per device where they differ; default those of the layers. */
  readonly ranks?: readonly DeviceRanks[];
}

export interface ModePayload {
  /** Reals that a device sends per round, the largest of devices and rounds. */
  readonly entries: number;
  /** Whether the devices may send at once and a sum of their vectors is enough. */
  readonly superposed: boolean;
  /** Reals that the air has to carry one after another: `entries` if superposed, the sum over the devices otherwise. */
  readonly airEntries: number;
}

/**
 * What a mode sends per round. For "joint", "loraB" and "alternating" it is Q(r) of the optimality gap (`payloadEntries`
 * of airfold/bounds), as long as no rank exceeds min(dOut, dIn).
 *
 * @throws InputError on sizes or ranks that are not whole numbers, or ranks beyond those of the layers.
 */
export function modePayload(options: ModePayloadOptions): ModePayload {
  checkOptions(options, "modePayload", ["mode", "layers", "devices", "ranks"]);
  const mode = checkChoice(options.mode, "mode", aggregationModes);
  const shapes = checkShapes(options.layers);
  const devices = checkInteger(options.devices, "devices", 1);
  const { ranks } = options;
  if (ranks !== undefined && (mode !== "stacked" || !Array.isArray(ranks) || ranks.length !== devices)) {
    throw new InputError("ranks", "ranks", `nothing, or with mode "stacked" ${devices}, one per device`);
  }
  const sum = (entries: (shape: LoraShape, i: number) => number): number =>
    shapes.reduce((total, shape, i) => total + entries(shape, i), 0);
  const left = sum(({ dOut, rank }) => dOut * rank);
  const right = sum(({ dIn, rank }) => dIn * rank);
  const superposed = (entries: number): ModePayload => ({ entries, superposed: true, airEntries: entries });
  switch (mode) {
    case "joint":
    case "padded":
      return superposed(left + right);
    case "loraB":
      return superposed(left);
    case "alternating":
      return superposed(Math.max(left, right));
    case "product":
      return superposed(sum(({ dOut, dIn }) => dOut * dIn));
    case "stacked": {
      const perDevice = Array.from({ length: devices }, (_, k) => {
        const own = ranks === undefined ? undefined : checkRanks(ranks[k]!, `ranks[${k}]`, shapes);
        return sum(({ dOut, dIn, rank }, i) => (own?.[i] ?? rank) * (dOut + dIn));
      });
      return {
        entries: Math.max(...perDevice),
        superposed: false,
        airEntries: perDevice.reduce((total, entries) => total + entries, 0),
      };
    }
  }
}
