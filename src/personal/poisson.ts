/** Stirling's error log(n!) - log(sqrt(2 pi n) (n/e)^n) for n = 0, ..., 15 (C. Loader, 2000); index 0 is not used. */
const stirlingErrors: Float64Array = (() => {
  const out = new Float64Array(16);
  let factorial = 1;
  for (let n = 1; n < 16; n++) {
    factorial *= n;
    out[n] = Math.log(factorial) - (0.5 * Math.log(2 * Math.PI * n) + n * Math.log(n) - n);
  }
  return out;
})();

/**
 * log P(X = n) for X ~ Poisson(mean), mean > 0, without the cancellation of n log(mean) - mean - log n! at large means
 * (C. Loader, "Fast and accurate computation of binomial probabilities", 2000).
 */
export function poissonLogMass(n: number, mean: number): number {
  if (n === 0) return -mean;
  return -stirlingError(n) - deviance(n, mean) - 0.5 * Math.log(2 * Math.PI * n);
}

function stirlingError(n: number): number {
  if (n < 16) return stirlingErrors[n]!;
  const square = n * n;
  return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / n;
}

/** n log(n/mean) + mean - n >= 0, by its series where n and mean are close. */
function deviance(n: number, mean: number): number {
  const difference = n - mean;
  if (Math.abs(difference) >= 0.1 * (n + mean)) return n * Math.log(n / mean) - difference;
  const v = difference / (n + mean);
  let sum = difference * v;
  let term = 2 * n * v;
  for (let k = 3; ; k += 2) {
    term *= v * v;
    const next = sum + term / k;
    if (next === sum) return sum;
    sum = next;
  }
}
