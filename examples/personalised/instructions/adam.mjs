/** Adam (Kingma and Ba 2015, algorithm 1) on named arrays. */

const beta1 = 0.9;
const beta2 = 0.98;
const epsilon = 1e-8;

/** Moments of the named parameters, zeros. */
export function createMoments(parameters, names) {
  const zeros = () => new Map(names.map((name) => [name, new Float64Array(parameters.get(name).length)]));
  return { step: 0, first: zeros(), second: zeros() };
}

/**
 * One step against the gradients, in place.
 *
 * @param clip Euclidean norm of the gradient of all names together, at most
 */
export function adamStep(parameters, gradients, moments, rate, clip = Number.POSITIVE_INFINITY) {
  let squares = 0;
  for (const name of moments.first.keys()) for (const value of gradients.get(name)) squares += value * value;
  const scale = Math.min(1, clip / Math.sqrt(squares));
  moments.step++;
  const correction1 = 1 - beta1 ** moments.step;
  const correction2 = 1 - beta2 ** moments.step;
  for (const [name, mean] of moments.first) {
    const data = parameters.get(name);
    const gradient = gradients.get(name);
    const square = moments.second.get(name);
    for (let i = 0; i < data.length; i++) {
      const g = gradient[i] * scale;
      mean[i] = beta1 * mean[i] + (1 - beta1) * g;
      square[i] = beta2 * square[i] + (1 - beta2) * g * g;
      data[i] -= (rate * (mean[i] / correction1)) / (Math.sqrt(square[i] / correction2) + epsilon);
    }
  }
}
