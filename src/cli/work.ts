import { availableParallelism } from "node:os";
import cliProgress from "cli-progress";
import { Piscina } from "piscina";
import { InputError } from "../core/index.ts";
import { removeUnfinished } from "./files.ts";
import type { Job, JobResults, Progress, Reply } from "./jobs.ts";

/** Thrown when the user presses Ctrl-C. */
export class Interrupted extends Error {}

/** A pool of worker threads that live as long as one command. */
export interface Crew {
  /** Runs jobs, at most `jobs` at once; results in the order of the jobs. */
  all<J extends Job>(jobs: readonly J[], onDone?: (done: number) => void): Promise<JobResults[J["kind"]][]>;
  /** What the workers report while they work. */
  onProgress(listener: (progress: Progress) => void): void;
}

/**
 * Runs `task` with a crew. The work is done on other threads, so the main one stays free to draw progress and
 * to answer Ctrl-C at once: the workers are then ended and unfinished files removed.
 */
export async function withCrew<T>(jobs: number, task: (crew: Crew) => Promise<T>): Promise<T> {
  const pool = new Piscina({
    filename: new URL("./worker.js", import.meta.url).href,
    minThreads: 1,
    maxThreads: jobs,
  });
  let interrupt: () => void = () => {};
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = () => reject(new Interrupted());
  });
  interrupted.catch(() => {});
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  const crew: Crew = {
    async all(list, onDone) {
      let done = 0;
      const replies = await Promise.all(
        list.map(async (job) => {
          const reply = (await pool.run(job)) as Reply<JobResults[(typeof job)["kind"]]>;
          onDone?.(++done);
          return reply;
        }),
      );
      return replies.map((reply) => {
        if (reply.ok) return reply.value;
        throw new InputError(reply.field, reply.found, reply.expected);
      });
    },
    onProgress(listener) {
      pool.on("message", listener);
    },
  };
  try {
    return await Promise.race([task(crew), interrupted]);
  } finally {
    process.removeListener("SIGINT", interrupt);
    process.removeListener("SIGTERM", interrupt);
    removeUnfinished();
    await pool.destroy().catch(() => {});
  }
}

/** A progress bar with the time left, on stderr and only on a terminal. */
export interface Bar {
  update(done: number, total: number, text: string): void;
  stop(): void;
}

export function progressBar(title: string): Bar {
  if (process.stderr.isTTY !== true) return { update: () => {}, stop: () => {} };
  const bar = new cliProgress.SingleBar(
    {
      stream: process.stderr,
      format: `${title} [{bar}] {value}/{total} {text} | {duration_formatted} gone, {eta_formatted} left`,
      hideCursor: true,
      clearOnComplete: true,
    },
    cliProgress.Presets.rect,
  );
  let started = false;
  return {
    update(done, total, text) {
      if (!started) {
        bar.start(total, done, { text });
        started = true;
      } else {
        bar.setTotal(total);
        bar.update(done, { text });
      }
    },
    stop() {
      if (started) bar.stop();
    },
  };
}

/** The value of --jobs: a whole number >= 1; by default one per core. */
export function jobCount(value: string | undefined): number {
  if (value === undefined) return availableParallelism();
  const count = Number(value);
  if (!/^\d+$/.test(value) || count < 1 || count > 1024) {
    throw new InputError("--jobs", `"${value}"`, "a whole number from 1 to 1024");
  }
  return count;
}
