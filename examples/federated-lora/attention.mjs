/**
 * Causal attention of all heads and its gradient on plain arrays. The backend multiplies batches of matrices with a
 * scalar loop (about 5 ms for the 32 products of 64 x 16 x 64 of one step); loops in double precision that leave out
 * what the mask would erase take a fifth of that, and need no copies with the heads apart.
 *
 * Sizes: { count, length, heads, width }, N = count * length rows. `projections` is N x 3 width: query, key, value side
 * by side, in each the heads side by side. Lengths and head widths are rounded up to fours inside, with zeros.
 */

const four = (value) => 4 * Math.ceil(value / 4);

/**
 * @returns output: N x width, heads side by side; shares: the softmax of the scores, count x heads matrices with rows
 *   for characters, for `attendGradient`
 */
export function attend(projections, sizes) {
  const { count, length, heads, width } = sizes;
  const { pitch, size, query, key, value, out, scores } = workspaceOf(sizes);
  const output = new Float32Array(count * length * width);
  const shares = new Float64Array(count * heads * pitch * pitch);
  const scale = 1 / Math.sqrt(width / heads);
  for (let block = 0; block < count * heads; block++) {
    read(projections, query, sizes, block, 3 * width, 0);
    read(projections, key, sizes, block, 3 * width, width);
    read(projections, value, sizes, block, 3 * width, 2 * width);
    lowerProducts(scores, query, key, pitch, size);
    softmaxRows(scores, scale, length, pitch);
    weightRows(out, scores, value, pitch, size);
    write(output, out, sizes, block, width, 0);
    shares.set(scores, block * pitch * pitch);
  }
  return { output, shares };
}

/**
 * dF/dprojections (N x 3 width) from dF/doutput (N x width).
 *
 * Softmax: ds = p (dp - sum p dp) with dp = doutput . value.
 */
export function attendGradient(projections, shares, outputGradient, sizes) {
  const { count, length, heads, width } = sizes;
  const { pitch, size, query, key, value, out, back, scores } = workspaceOf(sizes);
  const gradient = new Float32Array(count * length * 3 * width);
  const scale = 1 / Math.sqrt(width / heads);
  for (let block = 0; block < count * heads; block++) {
    read(projections, query, sizes, block, 3 * width, 0);
    read(projections, key, sizes, block, 3 * width, width);
    read(projections, value, sizes, block, 3 * width, 2 * width);
    read(outputGradient, back, sizes, block, width, 0);
    const share = shares.subarray(block * pitch * pitch, (block + 1) * pitch * pitch);
    weightColumns(out, share, back, pitch, size);
    write(gradient, out, sizes, block, 3 * width, 2 * width);
    lowerProducts(scores, back, value, pitch, size);
    softmaxGradient(scores, share, scale, length, pitch);
    weightRows(out, scores, key, pitch, size);
    write(gradient, out, sizes, block, 3 * width, 0);
    weightColumns(out, scores, query, pitch, size);
    write(gradient, out, sizes, block, 3 * width, width);
  }
  return gradient;
}

const workspaces = new Map();

/** Room for one head of one sequence. */
function workspaceOf({ length, heads, width }) {
  const name = `${length} ${heads} ${width}`;
  if (!workspaces.has(name)) {
    const [pitch, size] = [four(length), four(width / heads)];
    const rows = () => new Float64Array(pitch * size);
    workspaces.set(name, {
      pitch,
      size,
      query: rows(),
      key: rows(),
      value: rows(),
      out: rows(),
      back: rows(),
      scores: new Float64Array(pitch * pitch),
    });
  }
  return workspaces.get(name);
}

/** Copies one head of one sequence from a matrix with `columns` columns, from column `first` on. */
function read(from, to, { length, heads, width }, block, columns, first) {
  const entries = width / heads;
  const size = four(entries);
  const column = first + (block % heads) * entries;
  const row = Math.floor(block / heads) * length;
  for (let t = 0; t < length; t++) {
    const at = (row + t) * columns + column;
    for (let d = 0; d < entries; d++) to[t * size + d] = from[at + d];
  }
}

function write(to, from, { length, heads, width }, block, columns, first) {
  const entries = width / heads;
  const size = four(entries);
  const column = first + (block % heads) * entries;
  const row = Math.floor(block / heads) * length;
  for (let t = 0; t < length; t++) {
    const at = (row + t) * columns + column;
    for (let d = 0; d < entries; d++) to[at + d] = from[t * size + d];
  }
}

/** Softmax of scale * scores over s <= t in place; zeros behind the diagonal. */
function softmaxRows(scores, scale, length, pitch) {
  for (let t = 0; t < length; t++) {
    const row = t * pitch;
    let top = scores[row];
    for (let s = 1; s <= t; s++) if (scores[row + s] > top) top = scores[row + s];
    let sum = 0;
    for (let s = 0; s <= t; s++) {
      const share = exponential(scale * (scores[row + s] - top));
      scores[row + s] = share;
      sum += share;
    }
    const factor = 1 / sum;
    for (let s = 0; s <= t; s++) scores[row + s] *= factor;
    scores.fill(0, row + t + 1, row + pitch);
  }
}

/** scores holds dp and gets scale p (dp - sum p dp); zeros behind the diagonal. */
function softmaxGradient(scores, share, scale, length, pitch) {
  for (let t = 0; t < length; t++) {
    const row = t * pitch;
    let sum = 0;
    for (let s = 0; s <= t; s++) sum += share[row + s] * scores[row + s];
    for (let s = 0; s <= t; s++) scores[row + s] = scale * share[row + s] * (scores[row + s] - sum);
    scores.fill(0, row + t + 1, row + pitch);
  }
}

const powers = Float64Array.from({ length: 401 }, (_, k) => Math.exp(-k / 8));

/** e^x for x <= 0 to 1e-12 of it (Math.exp would take a third of the forward pass); 0 below x = -50. NaN stays NaN. */
function exponential(x) {
  if (x < -50) return 0;
  const k = Math.floor(0.5 - 8 * x);
  const r = x + k / 8;
  // Taylor up to r^6, |r| <= 1/16
  const series = 1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r / 720)))));
  return powers[k] * series;
}

/** out[t, s] = x[t] . y[s] for s <= t; blocks of 2 x 4, so that some entries behind the diagonal are written as well. */
function lowerProducts(out, x, y, pitch, size) {
  for (let t = 0; t < pitch; t += 2) {
    const x0 = t * size;
    const x1 = x0 + size;
    for (let s = 0; s <= t + 1; s += 4) {
      const y0 = s * size;
      const y1 = y0 + size;
      const y2 = y1 + size;
      const y3 = y2 + size;
      let a0 = 0;
      let a1 = 0;
      let a2 = 0;
      let a3 = 0;
      let b0 = 0;
      let b1 = 0;
      let b2 = 0;
      let b3 = 0;
      for (let d = 0; d < size; d++) {
        const a = x[x0 + d];
        const b = x[x1 + d];
        const c0 = y[y0 + d];
        const c1 = y[y1 + d];
        const c2 = y[y2 + d];
        const c3 = y[y3 + d];
        a0 += a * c0;
        a1 += a * c1;
        a2 += a * c2;
        a3 += a * c3;
        b0 += b * c0;
        b1 += b * c1;
        b2 += b * c2;
        b3 += b * c3;
      }
      const at = t * pitch + s;
      out[at] = a0;
      out[at + 1] = a1;
      out[at + 2] = a2;
      out[at + 3] = a3;
      out[at + pitch] = b0;
      out[at + pitch + 1] = b1;
      out[at + pitch + 2] = b2;
      out[at + pitch + 3] = b3;
    }
  }
}

/** out[t] = sum over s <= t of weights[t, s] x[s]; weights are 0 right behind the diagonal. */
function weightRows(out, weights, x, pitch, size) {
  for (let t = 0; t < pitch; t += 2) {
    weightPair(out, weights, x, t, t * pitch, pitch, 1, 0, t + 2, size);
  }
}

/** out[s] = sum over t >= s of weights[t, s] x[t]; weights are 0 right behind the diagonal. */
function weightColumns(out, weights, x, pitch, size) {
  for (let s = 0; s < pitch; s += 2) {
    weightPair(out, weights, x, s, s, 1, pitch, s, pitch, size);
  }
}

/** Rows i and i + 1 of out: sum over first <= j < last of weights[start + j * along (+ across)] x[j]. */
function weightPair(out, weights, x, i, start, across, along, first, last, size) {
  for (let d = 0; d < size; d += 4) {
    let a0 = 0;
    let a1 = 0;
    let a2 = 0;
    let a3 = 0;
    let b0 = 0;
    let b1 = 0;
    let b2 = 0;
    let b3 = 0;
    for (let j = first; j < last; j++) {
      const a = weights[start + j * along];
      const b = weights[start + across + j * along];
      const at = j * size + d;
      const c0 = x[at];
      const c1 = x[at + 1];
      const c2 = x[at + 2];
      const c3 = x[at + 3];
      a0 += a * c0;
      a1 += a * c1;
      a2 += a * c2;
      a3 += a * c3;
      b0 += b * c0;
      b1 += b * c1;
      b2 += b * c2;
      b3 += b * c3;
    }
    const at = i * size + d;
    out[at] = a0;
    out[at + 1] = a1;
    out[at + 2] = a2;
    out[at + 3] = a3;
    out[at + size] = b0;
    out[at + size + 1] = b1;
    out[at + size + 2] = b2;
    out[at + size + 3] = b3;
  }
}
