/**
 * A federated least-squares problem whose constants are known: F_k(W) = ||X_k W^T - Y_k||^2 / (2 n), loraA frozen to the
 * top-r right singular vectors of the weight change that is needed, loraB trained.
 */
import { randomStream } from "airfold/core";
import { EigenvalueDecomposition, inverse, Matrix, QrDecomposition } from "ml-matrix";

/** Sizes and difficulty; everything random follows from the seed. */
export const reference = {
  dOut: 32,
  dIn: 24,
  devices: 10,
  /** n, samples of a device */
  samples: 200,
  /** s_i = ratio^(i-1), singular values of the weight change W* - W0 */
  ratio: 0.75,
  /** Frobenius norm of what a device's own weights differ from the common ones, about */
  heterogeneity: 0.5,
  /** standard deviation of the label noise */
  labelNoise: 0.3,
};

/**
 * Draws a problem.
 *
 * @param options as `reference`, and `seed`
 * @returns the constants that do not depend on the rank, and `atRank(r)`
 */
export function leastSquares(options) {
  const { dOut, dIn, devices, samples, ratio, heterogeneity, labelNoise, seed } = options;
  const stream = randomStream(seed, "least-squares");
  const common = gaussian(stream, dOut, dIn, 0.1);
  const second = Matrix.zeros(dIn, dIn);
  const cross = Matrix.zeros(dOut, dIn);
  const data = Array.from({ length: devices }, () => {
    const x = gaussian(stream, samples, dIn, 1);
    const own = Matrix.add(common, gaussian(stream, dOut, dIn, heterogeneity / Math.sqrt(dOut * dIn)));
    const y = x.mmul(own.transpose()).add(gaussian(stream, samples, dOut, labelNoise));
    const moments = {
      second: x.transpose().mmul(x).div(samples),
      cross: y.transpose().mmul(x).div(samples),
    };
    second.add(Matrix.div(moments.second, devices));
    cross.add(Matrix.div(moments.cross, devices));
    return moments;
  });
  // W* is where the gradient vanishes; W0 is placed so that W* - W0 has exactly the wanted singular values
  const optimum = cross.mmul(inverse(second));
  const left = new QrDecomposition(gaussian(stream, dOut, dIn, 1)).orthogonalMatrix;
  const right = new QrDecomposition(gaussian(stream, dIn, dIn, 1)).orthogonalMatrix;
  const singularValues = Array.from({ length: dIn }, (_, i) => ratio ** i);
  const change = left.mmul(Matrix.diag(singularValues)).mmul(right.transpose());
  const start = Matrix.sub(optimum, change);
  const curvatures = eigenvalues(second);

  return {
    devices,
    dOut,
    dIn,
    singularValues,
    /** L_W, the largest curvature of F */
    weightSmoothness: Math.max(...curvatures),
    /** F(W0) - F* */
    initialGap: loss(change, second),
    atRank: (rank) => {
      const loraA = right.subMatrix(0, dIn - 1, 0, rank - 1).transpose();
      return restricted({ rank, loraA, data, second, cross, start, optimum, dOut });
    },
  };
}

/** The problem in loraB alone: its constants, its devices' gradients, its gap. */
function restricted({ rank, loraA, data, second, cross, start, optimum, dOut }) {
  const through = (matrix) => matrix.mmul(loraA.transpose());
  const hessian = loraA.mmul(through(second));
  const target = through(Matrix.sub(cross, start.mmul(second)));
  const best = target.mmul(inverse(hessian));
  const floor = loss(Matrix.sub(Matrix.add(start, best.mmul(loraA)), optimum), second);
  const parts = data.map((own) => ({
    hessian: loraA.mmul(through(own.second)),
    target: through(Matrix.sub(own.cross, start.mmul(own.second))),
  }));
  const curvatures = eigenvalues(hessian);
  const inverseHessian = inverse(hessian);
  // grad f_k = (grad f_k at the optimum) + grad f (I + D_k), D_k = M^-1 M_k - I
  const atBest = parts.map((part) => Matrix.sub(best.mmul(part.hessian), part.target).norm());
  const deviation = parts.map((part) =>
    spectralNorm(Matrix.sub(inverseHessian.mmul(part.hessian), Matrix.eye(rank))),
  );
  const spread = Matrix.zeros(rank, rank);
  for (const part of parts) {
    const unlike = Matrix.sub(inverseHessian.mmul(part.hessian), Matrix.eye(rank));
    spread.add(unlike.mmul(unlike.transpose()).div(parts.length));
  }
  const flat = parts.map((part) => ({ m: rows(part.hessian), j: rows(part.target) }));
  const flatHessian = rows(hessian);
  const flatBest = rows(best);
  const entries = dOut * rank;
  const row = new Float64Array(rank);

  return {
    rank,
    entries,
    /** L and mu of f */
    smoothness: Math.max(...curvatures),
    plConstant: Math.min(...curvatures),
    /** what the best loraB of this rank leaves: f* - F* */
    floor,
    /** largest gradient of a device at the optimum of f, and of a device against the global one elsewhere */
    gradientAtBest: Math.max(...atBest),
    gradientRatio: 1 + Math.max(...deviation),
    /** sum_k w_k ||grad f_k||^2 at the optimum of f, and the largest of sum_k w_k ||grad f D_k||^2 / ||grad f||^2 */
    dissimilarityAtBest: mean(atBest.map((norm) => norm ** 2)),
    dissimilarityRatio: Math.max(...eigenvalues(spread)),
    /** Gradients of all devices at loraB (dOut x rank, row by row), into the given arrays. */
    gradients(loraB, out) {
      flat.forEach(({ m, j }, k) => {
        affine(out[k], loraB, m, j, dOut, rank);
      });
      return out;
    },
    /** F_k without its constant is not needed: the global loss is the gap plus a constant. */
    gap(loraB) {
      let sum = 0;
      for (let i = 0; i < dOut; i++) {
        for (let a = 0; a < rank; a++) row[a] = loraB[i * rank + a] - flatBest[i * rank + a];
        for (let a = 0; a < rank; a++) {
          let product = 0;
          for (let b = 0; b < rank; b++) product += flatHessian[a * rank + b] * row[b];
          sum += row[a] * product;
        }
      }
      return sum / 2 + floor;
    },
  };
}

/** out = B M - J */
function affine(out, b, m, j, dOut, rank) {
  for (let i = 0; i < dOut; i++) {
    for (let c = 0; c < rank; c++) {
      let sum = -j[i * rank + c];
      for (let a = 0; a < rank; a++) sum += b[i * rank + a] * m[a * rank + c];
      out[i * rank + c] = sum;
    }
  }
}

/** tr(D M D^T) / 2 */
function loss(difference, hessian) {
  return Matrix.mul(difference.mmul(hessian), difference).sum() / 2;
}

function gaussian(stream, height, width, deviation) {
  const matrix = Matrix.zeros(height, width);
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++) matrix.set(i, j, deviation * stream.normal());
  return matrix;
}

function eigenvalues(symmetric) {
  return new EigenvalueDecomposition(symmetric, { assumeSymmetric: true }).realEigenvalues;
}

function spectralNorm(matrix) {
  return Math.sqrt(Math.max(0, ...eigenvalues(matrix.transpose().mmul(matrix))));
}

function mean(values) {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function rows(matrix) {
  return Float64Array.from(matrix.to1DArray());
}
