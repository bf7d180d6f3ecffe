/**
 * A design problem in the units of the bound: unit noise and unit budgets, with the channel sqrt(P_k d_k / sigma2) H_km
 * of every device and the weight alpha_k of its error (docs/certificates-mmse.md, section 5).
 */
export interface SplittingProblem {
  /** K */
  readonly devices: number;
  /** M */
  readonly subcarriers: number;
  /** N_r */
  readonly receiveAntennas: number;
  /** N_t */
  readonly transmitAntennas: number;
  /** S */
  readonly streams: number;
  /** [K, M, Nr, Nt] */
  readonly channel: Float64Array;
  /** alpha_k >= 0, K entries */
  readonly gains: Float64Array;
}
