/**
 * Keeps the workspace of the last size asked for: the pure functions are mostly called for one small size after
 * another, and allocating a dozen typed arrays costs more than decomposing a 4 x 4 matrix. Kernels do not depend
 * on what a workspace held before, and nothing here is asynchronous.
 */
export function lastWorkspace<W>(
  create: (rows: number, cols: number) => W,
): (rows: number, cols: number) => W {
  let lastRows = -1;
  let lastCols = -1;
  let last: W | undefined;
  return (rows, cols) => {
    if (last === undefined || rows !== lastRows || cols !== lastCols) {
      last = create(rows, cols);
      lastRows = rows;
      lastCols = cols;
    }
    return last;
  };
}
