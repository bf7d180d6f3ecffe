/** The smallest n in outside < n <= inside that holds, for what holds from some n on, also at `inside`. */
export function smallest(outside: number, inside: number, holds: (symbols: number) => boolean): number {
  while (inside - outside > 1) {
    const middle = Math.floor((outside + inside) / 2);
    if (holds(middle)) inside = middle;
    else outside = middle;
  }
  return inside;
}

/** As {@link smallest}, where that is likely near the lower end. */
export function gallop(outside: number, inside: number, holds: (symbols: number) => boolean): number {
  for (let step = 1; outside + step < inside; step *= 2) {
    if (holds(outside + step)) return smallest(outside, outside + step, holds);
    outside += step;
  }
  return smallest(outside, inside, holds);
}
