/** Scores of clients and plans from the rows of a training. */
import { clients } from "./plan.mjs";

/** Rounds over which a reward in training is averaged: a single one is that of a few answers. */
export const smoothing = 3;

/** A client's own score: its weights of the two rewards. */
export const ownScore = (index, { helpful, safe }) =>
  clients[index].preference.help * helpful + clients[index].preference.safe * safe;

/** The mean over the clients of their own scores. */
export const meanScore = (examined) => mean(examined.map((rewards, index) => ownScore(index, rewards)));

/** Mean own score of the answers sampled in the last rounds of a training. */
export const trainingScore = (rows) =>
  mean(
    rows
      .filter(({ training }) => training !== undefined)
      .slice(-smoothing)
      .map(({ training }) => meanScore(training)),
  );

export const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
