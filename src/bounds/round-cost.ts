import type { BeamformerDesign } from "../aircomp/index.ts";
import type { RankPayload } from "./scenario.ts";

/** What a round takes. */
export interface RoundCost {
  /** Seconds. */
  readonly delay: number;
  /** Per device, in units of the noise variance times seconds. */
  readonly energy: readonly number[];
}

/** Delay and radiated energy of a round, as `GapMinimum` states them. */
export function roundCost({ delay, airTime, power }: RankPayload, design: BeamformerDesign): RoundCost {
  switch (design.kind) {
    case "ideal":
      return { delay, energy: Array.from(power, () => 0) };
    case "digital":
      return { delay, energy: Array.from(power, (p) => p * airTime) };
    case "analog": {
      const { data } = design.transmit;
      const size = data.length / power.length;
      const energy = Array.from(power, (_, k) => {
        let sum = 0;
        for (let i = k * size; i < (k + 1) * size; i++) sum += data[i]! ** 2;
        return sum * airTime;
      });
      return { delay, energy };
    }
  }
}
