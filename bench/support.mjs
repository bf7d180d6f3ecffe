/** What the benchmarks share. */

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
};

/** The value that a share q of the values does not exceed. */
export const quantile = (values, q) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)];
};

export const geometricMean = (values) =>
  Math.exp(values.reduce((sum, x) => sum + Math.log(x), 0) / values.length);

/** Exponent b of the least-squares line log y = a + b log x. */
export function exponent(xs, ys) {
  const lx = xs.map(Math.log);
  const ly = ys.map(Math.log);
  const mean = (v) => v.reduce((sum, x) => sum + x, 0) / v.length;
  const [mx, my] = [mean(lx), mean(ly)];
  const above = lx.reduce((sum, x, i) => sum + (x - mx) * (ly[i] - my), 0);
  return above / lx.reduce((sum, x) => sum + (x - mx) ** 2, 0);
}

/** [result, milliseconds] */
export function timed(run) {
  const start = performance.now();
  const result = run();
  return [result, performance.now() - start];
}

export const percent = (ratio, digits = 3) => `${(100 * (ratio - 1)).toFixed(digits)} %`;
