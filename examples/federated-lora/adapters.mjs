/**
 * Adapters of a linear map W = W0 + scale loraB loraA as arrays of numbers: merging, and the chain rule. Matrices of the
 * model are transposed, W^T in the columns first..first + dOut - 1 of a matrix with `columns` columns.
 *
 * Adapters are { rank, scale, parameters }: from `offset` on loraB (dOut x r, by rows), then loraA (r x dIn, by rows).
 */

/** to = W^T for W (dOut x dIn, by rows). */
export function copyTransposed(to, matrix, { columns, first }, dOut, dIn) {
  for (let j = 0; j < dIn; j++) {
    const row = j * columns + first;
    for (let i = 0; i < dOut; i++) to[row + i] = matrix[i * dIn + j];
  }
}

/** to += scale (loraB loraA)^T. */
export function addProduct(to, adapters, { columns, first }, offset, dOut, dIn) {
  const { columnsOfB, loraA } = unpack(adapters, offset, dOut, dIn);
  const { rank, scale } = adapters;
  for (let j = 0; j < dIn; j++) {
    const row = j * columns + first;
    for (let k = 0; k < rank; k += 4) {
      const a0 = scale * loraA[k * dIn + j];
      const a1 = scale * loraA[(k + 1) * dIn + j];
      const a2 = scale * loraA[(k + 2) * dIn + j];
      const a3 = scale * loraA[(k + 3) * dIn + j];
      for (let i = 0, at = k * dOut; i < dOut; i++, at++) {
        to[row + i] +=
          a0 * columnsOfB[at] +
          a1 * columnsOfB[at + dOut] +
          a2 * columnsOfB[at + 2 * dOut] +
          a3 * columnsOfB[at + 3 * dOut];
      }
    }
  }
}

/**
 * Writes dF/dloraB = scale dF/dW loraA^T and dF/dloraA = scale loraB^T dF/dW to their places in `gradient`.
 *
 * @param part { from, place }, dF/dW^T
 */
export function chainRule(gradient, { from, place }, adapters, offset, dOut, dIn) {
  const { rank, scale } = adapters;
  const { columnsOfB, loraA } = unpack(adapters, offset, dOut, dIn);
  const ofB = new Float64Array(columnsOfB.length);
  const row = new Float64Array(dOut);
  const atA = offset + dOut * rank;
  for (let j = 0; j < dIn; j++) {
    const start = j * place.columns + place.first;
    for (let i = 0; i < dOut; i++) row[i] = from[start + i];
    for (let k = 0; k < rank; k += 4) {
      const a0 = loraA[k * dIn + j];
      const a1 = loraA[(k + 1) * dIn + j];
      const a2 = loraA[(k + 2) * dIn + j];
      const a3 = loraA[(k + 3) * dIn + j];
      let sum0 = 0;
      let sum1 = 0;
      let sum2 = 0;
      let sum3 = 0;
      for (let i = 0, at = k * dOut; i < dOut; i++, at++) {
        const entry = row[i];
        sum0 += entry * columnsOfB[at];
        sum1 += entry * columnsOfB[at + dOut];
        sum2 += entry * columnsOfB[at + 2 * dOut];
        sum3 += entry * columnsOfB[at + 3 * dOut];
        ofB[at] += a0 * entry;
        ofB[at + dOut] += a1 * entry;
        ofB[at + 2 * dOut] += a2 * entry;
        ofB[at + 3 * dOut] += a3 * entry;
      }
      gradient[atA + k * dIn + j] = scale * sum0;
      if (k + 1 < rank) gradient[atA + (k + 1) * dIn + j] = scale * sum1;
      if (k + 2 < rank) gradient[atA + (k + 2) * dIn + j] = scale * sum2;
      if (k + 3 < rank) gradient[atA + (k + 3) * dIn + j] = scale * sum3;
    }
  }
  for (let i = 0; i < dOut; i++) {
    for (let k = 0; k < rank; k++) gradient[offset + i * rank + k] = scale * ofB[k * dOut + i];
  }
}

/** loraB by columns and loraA by rows in double precision, the rank rounded up to fours with zeros. */
function unpack({ rank, parameters }, offset, dOut, dIn) {
  const padded = 4 * Math.ceil(rank / 4);
  const columnsOfB = new Float64Array(padded * dOut);
  const loraA = new Float64Array(padded * dIn);
  for (let i = 0; i < dOut; i++) {
    for (let k = 0; k < rank; k++) columnsOfB[k * dOut + i] = parameters[offset + i * rank + k];
  }
  for (let i = 0; i < rank * dIn; i++) loraA[i] = parameters[offset + dOut * rank + i];
  return { columnsOfB, loraA };
}
