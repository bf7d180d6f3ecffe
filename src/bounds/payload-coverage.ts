/** What bounds cover of payload plans, and what they take for granted of them (docs/personalisation.md). */
import { InputError } from "../core/index.ts";
import type { BoundForm, LearningSpec, LoraSpec } from "./scenario-schema.ts";

/** Whether the factors of any layer are sent. */
export function hasSharedLayers({ payload }: LoraSpec): boolean {
  return payload?.layers === undefined || payload.layers.length > 0;
}

function hasPrivateLayers({ layers, payload }: LoraSpec): boolean {
  return payload?.layers !== undefined && payload.layers.length < layers.length;
}

/** @throws InputError on a payload plan that no theorem covers, or without the spectra that it needs. */
export function checkPayload(form: BoundForm, lora: LoraSpec): void {
  const hasTensors = (lora.payload?.tensors ?? []).length > 0;
  if (form === "quadratic" && (hasTensors || hasPrivateLayers(lora))) {
    throw new InputError(
      `lora.payload.${hasTensors ? "tensors" : "layers"}`,
      `${hasTensors ? "other tensors" : "private layers"} with learning.form "quadratic"`,
      'all layers and no tensors, or learning.form "pl": the quadratic form has one gain for all that is trained',
    );
  }
  const kind = lora.residual?.kind;
  const needsSpectra = kind === "spectral" || kind === "frozen";
  // by its index among all layers
  for (const i of needsSpectra && lora.residual?.spectrum === undefined ? (lora.payload?.layers ?? []) : []) {
    if (lora.layers[i]?.spectrum !== undefined) continue;
    throw new InputError("lora.residual.spectrum", "nothing", `a spectrum, or one in lora.layers[${i}]`);
  }
  if (kind === "sketch" && hasTensors) {
    throw new InputError(
      "lora.payload.tensors",
      'other tensors with lora.residual.kind "sketch"',
      "nothing, or another kind: their errors meet a step that is not 1/L",
    );
  }
  if ((kind === "sketch" || kind === "projection") && !hasSharedLayers(lora)) {
    throw new InputError(
      "lora.residual.kind",
      `"${kind}" with no shared layer`,
      "no residual: no loraA is drawn anew that the devices have in common",
    );
  }
}

export function payloadAssumptions({ participation }: LearningSpec, lora: LoraSpec): readonly string[] {
  const assumptions: string[] = [];
  if (hasPrivateLayers(lora)) {
    assumptions.push(
      "Private layers are trained on the devices in every round; the learning constants are those of the joint loss of shared and " +
        "private weights, and the gap is to its least value with the private weights as free as they are. Minibatches of " +
        "the private gradients count in learning.stochasticVariance, by the weights of the devices.",
    );
    if (participation !== undefined) {
      assumptions.push("Devices whose transmission is missing train their private layers all the same.");
    }
  }
  if ((lora.payload?.tensors ?? []).length > 0) {
    assumptions.push("Shared tensors besides the factors can reach their best values at every rank.");
  }
  return assumptions;
}
