/**
 * airfold: the LoRA rank and the MIMO beamformers with the smallest optimality gap for over-the-air federated
 * fine-tuning. This face has the main job; each room has a subpath of its own (`airfold/linalg` and so on).
 */
export * from "./aircomp/index.ts";
export * from "./bounds/index.ts";
export * from "./core/index.ts";
export * from "./fusion/index.ts";
export { type ComplexMatrix, ComplexStack } from "./linalg/index.ts";
export * from "./lora/index.ts";
export * from "./personal/index.ts";
