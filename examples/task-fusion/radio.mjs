/**
 * The radio: users with a few antennas each, a server that decodes them one after the other (MMSE with successive
 * cancellation, the strongest first), thermal noise, and a jammer. What comes out is an MSE per user.
 */
import { randomStream } from "airfold/core";
import {
  mmseSicErrors,
  mseFromErrorCovariance,
  sicRates,
  signalCovariance,
  worstCaseNoise,
} from "airfold/fusion";
import { frobeniusNorm, identity, randomMatrix, scale } from "airfold/linalg";

/** Thermal noise per antenna: the unit of all powers. */
const floor = 1;

/** Objectives of the jammer that is as bad as can be. */
export const objectives = ["sum-rate", "strongest-user", "mse"];

/**
 * H_q G_q of all users: Rayleigh channels, the power spread evenly over the streams. `snrDb` is the mean power that
 * arrives of a user over the thermal noise, per antenna of the server.
 */
export function channelsOf({ users, antennas, streams, snrDb }, seed) {
  const amplitude = Math.sqrt((floor * 10 ** (snrDb / 10)) / streams);
  return Array.from({ length: users }, (_, user) =>
    scale(randomMatrix(antennas, streams, randomStream(seed, "radio", user)), amplitude),
  );
}

/**
 * What the server receives under one kind of noise.
 *
 * @param kind "thermal" (no jammer), "white", or an objective of the worst case
 * @param jammerDb power of the jammer over the thermal noise, per antenna of the server
 * @returns rates per user and their sum in nats per channel use, MSE per symbol of unit power as the MMSE receivers
 *   leave it (`mse`) and after their shrinkage is undone (`unbiased`), order of decoding, duality gap of the worst case
 */
export function receive(channels, kind, jammerDb) {
  const antennas = channels[0].rows;
  const power = kind === "thermal" ? 0 : antennas * floor * 10 ** (jammerDb / 10);
  const signalCovariances = channels.map((channel) => signalCovariance(channel));
  const worst = objectives.includes(kind)
    ? worstCaseNoise({ signalCovariances, power, floor, objective: kind })
    : undefined;
  const noise = worst?.covariance ?? scale(identity(antennas), floor + power / antennas);
  const strength = channels.map((channel) => frobeniusNorm(channel));
  const order = channels.map((_, user) => user).sort((a, b) => strength[b] - strength[a] || a - b);
  const { rates, errors } = mmseSicErrors({ channels, noise, order });
  return {
    rates: Array.from(rates),
    sumRate: sicRates({ signalCovariances, noise, order }).sumRate,
    mse: errors.map((error) => mseFromErrorCovariance(error)),
    unbiased: errors.map((error) => mseFromErrorCovariance(error, { unbiased: true })),
    order,
    ...(worst === undefined ? {} : { dualityGap: worst.dualityGap, converged: worst.converged }),
  };
}
