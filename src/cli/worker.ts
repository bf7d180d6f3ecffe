import { parentPort } from "node:worker_threads";
import { beamformDistortion, beamformOptions, designBeamformers } from "../aircomp/index.ts";
import { minimizeOptimalityGap, rankDistortion } from "../bounds/index.ts";
import { InputError } from "../core/index.ts";
import { runFigureTask } from "../figures/index.ts";
import { beamformDocument, solveDocument } from "./documents.ts";
import type { Job, JobResults, Progress, Reply } from "./jobs.ts";

/** One job on a worker thread. */
export default function work(job: Job): Reply<JobResults[Job["kind"]]> {
  try {
    return { ok: true, value: perform(job) };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return { ok: false, field: error.field, found: error.found, expected: error.expected };
  }
}

function report(progress: Progress): void {
  parentPort?.postMessage(progress);
}

function perform(job: Job): JobResults[Job["kind"]] {
  switch (job.kind) {
    case "solve": {
      const result = minimizeOptimalityGap(job.scenario, {
        distortions: new Map(job.distortions),
        onProgress: ({ evaluated, maxRank, rank, symbols }) =>
          report(
            symbols === undefined
              ? { done: evaluated, total: maxRank, text: `rank ${rank}` }
              : // how many will be needed is not known
                { done: evaluated, total: Math.max(16, evaluated + 1), text: `${symbols} symbols` },
          ),
      });
      const { converged, gap, gapReason } = result;
      return {
        text: solveDocument(job.scenario, result),
        converged,
        ...(Number.isFinite(gap) ? {} : { noBound: gapReason ?? "the gap is infinite" }),
      };
    }
    case "distortions":
      return [...rankDistortion(job.scenario, job.ranks)];
    case "beamform": {
      const design = designBeamformers(beamformOptions(job.problem));
      const distortion = beamformDistortion(job.problem, design);
      return { text: beamformDocument(job.problem, design, distortion), converged: design.converged };
    }
    case "figure":
      return runFigureTask(job.name, job.parameters, job.index);
  }
}
