/** Runs one trial of one of the two studies; a worker thread of run.mjs. */
import * as boundCheck from "./bound-check.mjs";
import * as rankChoice from "./rank-choice.mjs";

const studies = { [boundCheck.name]: boundCheck, [rankChoice.name]: rankChoice };

export default function work({ study, plan, seed }) {
  return studies[study].runTrial(plan, seed);
}
