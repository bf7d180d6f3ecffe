import {
  type AnalogDesign,
  type BeamformerDesign,
  channelFrom,
  type DesignRow,
  type EvaluationOptions,
  meanSquaredError,
  type TrueChannel,
} from "../aircomp/index.ts";
import {
  type ComplexMatrix,
  ComplexStack,
  conjugateTranspose,
  frobeniusNorm,
  type HermitianEigen,
  identity,
  multiply,
  multiplyConjugateLeft,
  multiplyConjugateRight,
  type Qr,
  type Svd,
  subtract,
} from "../linalg/index.ts";

/** ||m^H m - I||_F: 0 for orthonormal columns. */
export function unitaryResidual(m: ComplexMatrix): number {
  return frobeniusNorm(subtract(multiplyConjugateLeft(m, m), identity(m.cols)));
}

/** ||m - m^H||_F / ||m||_F; 0 for the zero matrix. */
export function hermitianResidual(m: ComplexMatrix): number {
  return relative(subtract(m, conjugateTranspose(m)), m);
}

/** ||a - q r||_F / ||a||_F. */
export function qrResidual(a: ComplexMatrix, { q, r }: Qr): number {
  return relative(subtract(a, multiply(q, r)), a);
}

/** ||a - u diag(s) v^H||_F / ||a||_F, of a thin or full decomposition. */
export function svdResidual(a: ComplexMatrix, { u, s, v }: Svd): number {
  const count = s.length;
  const scaled = withColumnsScaled(leadingColumns(u, count), s);
  return relative(subtract(a, multiplyConjugateRight(scaled, leadingColumns(v, count))), a);
}

/** ||a - vectors diag(values) vectors^H||_F / ||a||_F. */
export function eigResidual(a: ComplexMatrix, { values, vectors }: HermitianEigen): number {
  return relative(subtract(a, multiplyConjugateRight(withColumnsScaled(vectors, values), vectors)), a);
}

/**
 * The largest relative excess over a power budget, max_k (sum_m ||B_km||^2 - P_k)/P_k; 0 where every device
 * keeps within its budget, +Infinity if a device without power transmits.
 *
 * @param power one number, or one per device
 */
export function powerBudgetResidual(design: BeamformerDesign, power: number | ArrayLike<number>): number {
  if (design.kind !== "analog") return 0;
  const devices = design.transmit.shape[0]!;
  const size = design.transmit.data.length / devices;
  let worst = 0;
  for (let k = 0; k < devices; k++) {
    const budget = typeof power === "number" ? power : power[k]!;
    const sent = design.transmit.data.subarray(k * size, (k + 1) * size).reduce((sum, x) => sum + x * x, 0);
    if (sent > budget) worst = Math.max(worst, (sent - budget) / budget);
  }
  return worst;
}

/** The largest relative increase of the MSE from one row to the next; 0 if it never increases. */
export function monotonicityResidual(rows: readonly Pick<DesignRow, "mse">[]): number {
  let worst = 0;
  for (let i = 1; i < rows.length; i++) {
    const before = rows[i - 1]!.mse;
    worst = Math.max(worst, (rows[i]!.mse - before) / Math.abs(before));
  }
  return worst;
}

/**
 * Relative change of the MSE when every A_m and B_km is multiplied by a unitary S x S matrix from the right.
 * The MSE does not depend on it.
 */
export function unitaryInvarianceResidual(
  channel: TrueChannel,
  design: AnalogDesign,
  unitary: ComplexMatrix,
  options: EvaluationOptions,
): number {
  const before = meanSquaredError(channel, design, options);
  return Math.abs(meanSquaredError(channel, rotatedDesign(design, unitary), options) - before) / before;
}

/**
 * Relative change of the MSE under H -> cH, sigma2 -> c^2 sigma2, A -> A/c. The MSE does not depend on c.
 *
 * @param factor c > 0
 */
export function scaleInvarianceResidual(
  channel: TrueChannel,
  design: AnalogDesign,
  factor: number,
  options: EvaluationOptions,
): number {
  const before = meanSquaredError(channel, design, options);
  const after = meanSquaredError(
    scaledChannel(channel, factor),
    { ...design, receive: scaledStack(design.receive, 1 / factor) },
    { ...options, noiseVariance: factor ** 2 * options.noiseVariance },
  );
  return Math.abs(after - before) / before;
}

/** The design with A_m U and B_km U. */
export function rotatedDesign(design: AnalogDesign, unitary: ComplexMatrix): AnalogDesign {
  return {
    ...design,
    receive: mapStack(design.receive, (a) => multiply(a, unitary)),
    transmit: mapStack(design.transmit, (b) => multiply(b, unitary)),
  };
}

/** The channel c H. */
export function scaledChannel(channel: TrueChannel, factor: number): TrueChannel {
  return channelFrom(scaledStack(channel.matrices, factor));
}

function scaledStack(stack: ComplexStack, factor: number): ComplexStack {
  return new ComplexStack(
    stack.shape,
    stack.data.map((x) => factor * x),
  );
}

function mapStack(stack: ComplexStack, change: (m: ComplexMatrix) => ComplexMatrix): ComplexStack {
  const out = new ComplexStack(stack.shape);
  const size = 2 * stack.rows * stack.cols;
  for (let i = 0; i < stack.count; i++) {
    const data = stack.data.slice(i * size, (i + 1) * size);
    out.data.set(change({ rows: stack.rows, cols: stack.cols, data }).data, i * size);
  }
  return out;
}

function withColumnsScaled(m: ComplexMatrix, factors: ArrayLike<number>): ComplexMatrix {
  const data = m.data.map((x, i) => x * factors[(i >> 1) % m.cols]!);
  return { rows: m.rows, cols: m.cols, data };
}

function leadingColumns(m: ComplexMatrix, count: number): ComplexMatrix {
  const data = new Float64Array(2 * m.rows * count);
  for (let row = 0; row < m.rows; row++) {
    const from = 2 * row * m.cols;
    data.set(m.data.subarray(from, from + 2 * count), 2 * row * count);
  }
  return { rows: m.rows, cols: count, data };
}

function relative(difference: ComplexMatrix, a: ComplexMatrix): number {
  const size = frobeniusNorm(a);
  const distance = frobeniusNorm(difference);
  return size === 0 ? distance : distance / size;
}
