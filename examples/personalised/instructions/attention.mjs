/**
 * Sparse attention of all heads and its gradient on plain arrays: a character looks at the characters that a mask lists for it,
 * and at no others, so that the work is in proportion to the mask's density.
 *
 * Sizes: { count, length, heads, width }, N = count * length rows. `projections` is N x 3 width: query, key, value side by side,
 * in each the heads side by side. Links are { start, at }: character t looks at at[start[t]] .. at[start[t + 1] - 1].
 */

/**
 * Links of a mask.
 *
 * @param allows of two characters t and s <= t: whether t looks at s
 */
export function linksOf(length, allows) {
  const start = new Int32Array(length + 1);
  const at = [];
  for (let t = 0; t < length; t++) {
    for (let s = 0; s <= t; s++) if (allows(t, s)) at.push(s);
    start[t + 1] = at.length;
  }
  return { start, at: Int32Array.from(at) };
}

/** @returns output: N x width; shares: the softmax, for every sequence and head in the order of the links */
export function attend(projections, links, { count, length, heads, width }) {
  const { start, at } = links;
  const size = width / heads;
  const from = new Float64Array(projections);
  const output = new Float32Array(count * length * width);
  const perHead = start[length];
  const shares = new Float64Array(count * heads * perHead);
  const scale = 1 / Math.sqrt(size);
  const sums = new Float64Array(size);
  for (let block = 0; block < count * heads; block++) {
    const first = Math.floor(block / heads) * length;
    const column = (block % heads) * size;
    const place = block * perHead;
    for (let t = 0; t < length; t++) {
      const query = (first + t) * 3 * width + column;
      let highest = Number.NEGATIVE_INFINITY;
      for (let e = start[t]; e < start[t + 1]; e++) {
        const score = scale * dot(from, query, from, (first + at[e]) * 3 * width + width + column, size);
        shares[place + e] = score;
        if (score > highest) highest = score;
      }
      let total = 0;
      for (let e = start[t]; e < start[t + 1]; e++) {
        shares[place + e] = Math.exp(shares[place + e] - highest);
        total += shares[place + e];
      }
      sums.fill(0);
      for (let e = start[t]; e < start[t + 1]; e++) {
        shares[place + e] /= total;
        addMultiple(sums, 0, shares[place + e], from, (first + at[e]) * 3 * width + 2 * width + column, size);
      }
      output.set(sums, (first + t) * width + column);
    }
  }
  return { output, shares };
}

/** dF/dprojections (N x 3 width) from dF/doutput (N x width); softmax: ds = p (dp - sum p dp) with dp = doutput . value. */
export function attendGradient(projections, shares, outputGradient, links, { count, length, heads, width }) {
  const { start, at } = links;
  const size = width / heads;
  const from = new Float64Array(projections);
  const back = new Float64Array(outputGradient);
  const gradient = new Float64Array(count * length * 3 * width);
  const perHead = start[length];
  const scale = 1 / Math.sqrt(size);
  const slopes = new Float64Array(length);
  for (let block = 0; block < count * heads; block++) {
    const first = Math.floor(block / heads) * length;
    const column = (block % heads) * size;
    const place = block * perHead;
    for (let t = 0; t < length; t++) {
      const query = (first + t) * 3 * width + column;
      const row = (first + t) * width + column;
      let mean = 0;
      for (let e = start[t]; e < start[t + 1]; e++) {
        const value = (first + at[e]) * 3 * width + 2 * width + column;
        const slope = dot(back, row, from, value, size);
        addMultiple(gradient, value, shares[place + e], back, row, size);
        slopes[e - start[t]] = slope;
        mean += shares[place + e] * slope;
      }
      for (let e = start[t]; e < start[t + 1]; e++) {
        const key = (first + at[e]) * 3 * width + width + column;
        const slope = scale * shares[place + e] * (slopes[e - start[t]] - mean);
        addMultiple(gradient, query, slope, from, key, size);
        addMultiple(gradient, key, slope, from, query, size);
      }
    }
  }
  return new Float32Array(gradient);
}

/** Inner product of `size` entries, a multiple of four. */
export function dot(x, atX, y, atY, size) {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let i = 0; i < size; i += 4) {
    a += x[atX + i] * y[atY + i];
    b += x[atX + i + 1] * y[atY + i + 1];
    c += x[atX + i + 2] * y[atY + i + 2];
    d += x[atX + i + 3] * y[atY + i + 3];
  }
  return a + b + (c + d);
}

/** to += factor x for `size` entries, a multiple of four. */
export function addMultiple(to, atTo, factor, x, atX, size) {
  for (let i = 0; i < size; i += 4) {
    to[atTo + i] += factor * x[atX + i];
    to[atTo + i + 1] += factor * x[atX + i + 1];
    to[atTo + i + 2] += factor * x[atX + i + 2];
    to[atTo + i + 3] += factor * x[atX + i + 3];
  }
}
