import { createFactorisation } from "./factorisation.ts";
import type { Objective } from "./objective.ts";
import { createProducts } from "./products.ts";
import { axpy, dot } from "./real.ts";
import type { ScaledProblem } from "./scaled.ts";
import { createSecondDerivative } from "./second-derivative.ts";

/**
 * The exact finish: from a point near a local minimax point of phi_k = log g_k + log ||A||^2 to that point, by
 * sequential quadratic programming with exact second derivatives on the devices W that bind:
 *
 *   min over (d, t) of t + d^H H d / 2,  phi_k + <J_k, d> = t for k in W,   H = sum_k y_k hess phi_k.
 *
 * The programme is solved by conjugate gradients in the null space of its constraints, so that a step costs products
 * with the channels and a |W| x |W| Cholesky factor, but no Hessian matrix.
 */
export interface Finish {
  /** Improves objective.point; returns the number of steps. */
  run(rule: FinishRule): number;
  /** y, one per device, on the simplex. */
  readonly multipliers: Float64Array;
  /** Of the last run: max(||sum_k y_k J_k||, max phi - sum_k y_k phi_k) at the point, ||A|| = 1. */
  residual: number;
  /** max_k phi_k */
  peak: number;
  /** Whether the last run ended because nothing was left to gain, at a point of small residual. */
  converged: boolean;
  /** Hessian products of all runs. */
  products: number;
}

export interface FinishRule {
  readonly maxSteps: number;
  /** The predicted relative decrease of the objective that is not worth another step. */
  readonly decrease: number;
}

/** Most Hessian products of one programme. */
const MAX_PRODUCTS = 100;
/** Longest step, on the unit sphere of all A. */
const RADIUS = 0.3;
/** Relative residual at which the first programme ends; later ones end where Newton's convergence needs it. */
const COARSE = 0.3;
/** Devices of a smaller share are not among the first to bind. */
const SMALLEST_SHARE = 1e-4;

export function createFinish(problem: ScaledProblem, objective: Objective): Finish {
  const { devices, subcarriers, transmitAntennas: nt, streams: s, offset } = problem;
  const size = objective.size;
  const block = 2 * nt * s;
  const products = createProducts(problem);
  const factorise = createFactorisation(nt, s);
  const g = new Float64Array(subcarriers * devices * block);
  const slopes = new Float64Array(g.length);
  const along = new Float64Array(g.length);
  const inverse = new Float64Array(s === 1 ? subcarriers * devices : subcarriers * devices * 2 * s * s);
  const trace = new Float64Array(devices);
  const phi = new Float64Array(devices);
  const y = new Float64Array(devices);
  const set = new Int32Array(devices);
  const member = new Uint8Array(devices);
  // whether the blocks of a device in `slopes` hold its gradient already
  const ready = new Uint8Array(devices);
  const rows = new Float64Array(devices * size);
  const gram = new Float64Array(devices * devices);
  const right = new Float64Array(devices);
  const dual = new Float64Array(devices);
  const d = new Float64Array(size);
  const r = new Float64Array(size);
  const v = new Float64Array(size);
  const hv = new Float64Array(size);
  const work = new Float64Array(size);
  const second = createSecondDerivative(nt, s);
  // the directions that change anything (not the scale, not the unitary freedom), and one
  const most = Math.max(1, Math.min(devices, size - subcarriers * s * s));
  let count = 0;
  let t = 0;
  let peak = 0;

  /** phi and the blocks' gradients at the point (norm 1). */
  function look(): void {
    products.forward(g, objective.point);
    const logNorm = objective.logNorm();
    peak = Number.NEGATIVE_INFINITY;
    ready.fill(0);
    for (let k = 0; k < devices; k++) {
      let total = 0;
      for (let m = 0; m < subcarriers; m++) {
        const j = m * devices + k;
        total += factorise.invert(slopes, j * block, g, j * block, inverse, j);
      }
      trace[k] = total;
      phi[k] = offset[k]! + Math.log(total) + logNorm;
      if (phi[k]! > peak) peak = phi[k]!;
    }
  }

  function differentiate(i: number): void {
    const k = set[i]!;
    for (let m = 0; ready[k] === 0 && m < subcarriers; m++) {
      const j = m * devices + k;
      factorise.differentiate(slopes, j * block, inverse, j);
    }
    ready[k] = 1;
    const at = i * size;
    for (let l = 0; l < size; l++) rows[at + l] = 2 * objective.point[l]!;
    products.addBackward(rows, at, slopes, k, 1 / trace[k]!);
  }

  /** Cholesky factor of J J^T + 1 1^T of the devices in the set. */
  function factor(): void {
    for (let i = 0; i < count; i++) {
      for (let j = 0; j <= i; j++) gram[i * devices + j] = 1 + dot(rows, i * size, rows, j * size, size);
      // a device whose row depends on the others' gets a ridge: its multiplier stays finite
      gram[i * devices + i]! *= 1 + 1e-13;
    }
    for (let j = 0; j < count; j++) {
      let pivot = gram[j * devices + j]!;
      const unit = pivot;
      for (let l = 0; l < j; l++) pivot -= gram[j * devices + l]! ** 2;
      const root = Math.sqrt(Math.max(pivot, 1e-14 * unit));
      gram[j * devices + j] = root;
      for (let i = j + 1; i < count; i++) {
        let sum = gram[i * devices + j]!;
        for (let l = 0; l < j; l++) sum -= gram[i * devices + l]! * gram[j * devices + l]!;
        gram[i * devices + j] = sum / root;
      }
    }
  }

  /** right <- (J J^T + 1 1^T)^{-1} right */
  function solve(): void {
    for (let i = 0; i < count; i++) {
      let sum = right[i]!;
      for (let l = 0; l < i; l++) sum -= gram[i * devices + l]! * right[l]!;
      right[i] = sum / gram[i * devices + i]!;
    }
    for (let i = count - 1; i >= 0; i--) {
      let sum = right[i]!;
      for (let l = i + 1; l < count; l++) sum -= gram[l * devices + i]! * right[l]!;
      right[i] = sum / gram[i * devices + i]!;
    }
  }

  /** (x, tau) <- its part in the null space of [J, -1]; the multipliers of the rest are left in `right`. */
  function project(x: Float64Array, tau: number): number {
    for (let i = 0; i < count; i++) right[i] = dot(rows, i * size, x, 0, size) - tau;
    solve();
    let rest = tau;
    for (let i = 0; i < count; i++) {
      axpy(x, rows, i * size, -right[i]!, size);
      rest += right[i]!;
    }
    return rest;
  }

  /** out = H x */
  function hessian(out: Float64Array, x: Float64Array): void {
    finish.products++;
    const a = objective.point;
    const inside = 4 * dot(a, 0, x, 0, size);
    for (let l = 0; l < size; l++) out[l] = 2 * x[l]! - inside * a[l]!;
    const together = s > 1 && 2 * count > devices;
    if (together) products.forward(along, x);
    for (let i = 0; together && i < devices; i++) {
      if (member[i] === 1 && y[i]! > 1e-14) continue;
      for (let m = 0; m < subcarriers; m++)
        along.fill(0, (m * devices + i) * block, (m * devices + i + 1) * block);
    }
    for (let i = 0; i < count; i++) {
      const k = set[i]!;
      const weight = y[k]! / trace[k]!;
      if (!(y[k]! > 1e-14)) continue;
      if (!together) products.forwardDevice(along, x, k);
      let inner = 0;
      for (let m = 0; m < subcarriers; m++) {
        const at = (m * devices + k) * block;
        inner += dot(slopes, at, along, at, block);
        second.apply(along, at, g, at, inverse, m * devices + k);
      }
      if (together) scaleDevice(along, k, weight);
      else products.addBackward(out, 0, along, k, weight);
      // - grad tau grad tau^T / tau^2; the row holds grad tau / tau + 2 A
      const part = (y[k]! * inner) / trace[k]!;
      axpy(out, rows, i * size, -part, size);
      axpy(out, a, 0, 2 * part, size);
    }
    if (together) products.addAllBackward(out, along);
  }

  function scaleDevice(blocks: Float64Array, k: number, factor: number): void {
    for (let m = 0; m < subcarriers; m++) {
      const from = (m * devices + k) * block;
      for (let l = from; l < from + block; l++) blocks[l]! *= factor;
    }
  }

  /** Fills d, t and `dual`: -(H d, 1) = [J, -1]^H dual up to the residual, which the projections add up to. */
  function quadraticProgramme(tolerance: number): void {
    factor();
    for (let i = 0; i < count; i++) right[i] = peak - phi[set[i]!]!;
    solve();
    d.fill(0);
    t = 0;
    for (let i = 0; i < count; i++) {
      axpy(d, rows, i * size, right[i]!, size);
      t -= right[i]!;
    }
    hessian(r, d);
    for (let l = 0; l < size; l++) r[l] = -r[l]!;
    let rt = project(r, -1);
    for (let i = 0; i < count; i++) dual[i] = right[i]!;
    let squared = dot(r, 0, r, 0, size) + rt * rt;
    const unit = squared;
    v.set(r);
    let vt = rt;
    for (let iteration = 0; iteration < MAX_PRODUCTS && squared > 0; iteration++) {
      hessian(hv, v);
      const curvature = dot(v, 0, hv, 0, size);
      const length = dot(v, 0, v, 0, size);
      const alpha = curvature > 1e-13 * length ? squared / curvature : Number.POSITIVE_INFINITY;
      const longest = toBoundary(length);
      if (!(alpha < longest)) {
        axpy(d, v, 0, longest, size);
        t += longest * vt;
        break;
      }
      axpy(d, v, 0, alpha, size);
      t += alpha * vt;
      axpy(r, hv, 0, -alpha, size);
      rt = project(r, rt);
      for (let i = 0; i < count; i++) dual[i]! += right[i]!;
      const next = dot(r, 0, r, 0, size) + rt * rt;
      if (next <= tolerance * tolerance * unit) break;
      const beta = next / squared;
      for (let l = 0; l < size; l++) v[l] = r[l]! + beta * v[l]!;
      vt = rt + beta * vt;
      squared = next;
    }
  }

  /** The largest a with ||d + a v|| <= RADIUS. */
  function toBoundary(length: number): number {
    const inside = RADIUS * RADIUS - dot(d, 0, d, 0, size);
    if (!(inside > 0) || !(length > 0)) return 0;
    const cross = dot(d, 0, v, 0, size);
    return inside / (cross + Math.sqrt(cross * cross + length * inside));
  }

  function run(rule: FinishRule): number {
    let steps = 0;
    objective.start(objective.point.slice());
    look();
    member.fill(0);
    count = 0;
    // largest shares first: no more devices than a local minimax point in general position has
    y.set(objective.share);
    for (;;) {
      let next = -1;
      for (let k = 0; k < devices; k++) {
        if (member[k] === 0 && y[k]! > (next < 0 ? SMALLEST_SHARE : y[next]!)) next = k;
      }
      if (next < 0 || count === most) break;
      member[next] = 1;
      set[count++] = next;
    }
    for (let k = 0; k < devices; k++) if (member[k] === 0) y[k] = 0;
    let tolerance = COARSE;
    for (; steps < rule.maxSteps; ) {
      for (let i = 0; i < count; i++) differentiate(i);
      if (steps === 0) estimate();
      else if (settled(rule.decrease)) break;
      for (let drops = 0; ; drops++) {
        quadraticProgramme(tolerance);
        if (!dropNegative(0.3)) break;
        if (drops > devices) break;
      }
      y.fill(0);
      let sum = 0;
      for (let i = 0; i < count; i++) sum += y[set[i]!] = Math.max(0, dual[i]!);
      for (let i = 0; i < count; i++) y[set[i]!]! /= sum;
      steps++;
      const predicted = -t;
      const before = peak;
      objective.direction.set(d);
      objective.aim();
      let accepted = false;
      let added = false;
      if (predicted <= rule.decrease) {
        // the last step: it may only help
        objective.evaluate(1);
        if (objective.peak <= before) {
          objective.move();
          objective.start(objective.point.slice());
          look();
        }
        break;
      }
      let step = 1;
      for (let trial = 0; trial < 4; trial++) {
        objective.evaluate(step);
        if (objective.peak <= before - 0.1 * step * predicted) {
          accepted = true;
          break;
        }
        if (trial === 0) {
          const gained = addDevices(before, t);
          if (gained > 0) {
            added = true;
            break;
          }
          if (correct(before, predicted)) {
            accepted = true;
            break;
          }
          objective.direction.set(d);
          objective.aim();
        }
        step *= 0.5;
      }
      if (accepted) {
        objective.move();
        objective.start(objective.point.slice());
        look();
        tolerance = Math.max(1e-7, Math.min(COARSE, Math.sqrt(predicted)));
        addDevices(peak, -1e-12);
      } else if (!added) {
        break;
      }
    }
    for (let i = 0; i < count; i++) differentiate(i);
    settled(rule.decrease);
    return steps;
  }

  /** Second-order correction: the shortest step that takes the values at A + d back into line. */
  function correct(before: number, predicted: number): boolean {
    const logNorm = objective.peak - maximum(objective.logGain);
    for (let i = 0; i < count; i++) right[i] = -(objective.logGain[set[i]!]! + logNorm - before - t);
    solve();
    for (let i = 0; i < count; i++) axpy(objective.direction, rows, i * size, right[i]!, size);
    objective.aim();
    objective.evaluate(1);
    return objective.peak <= before - 0.1 * predicted;
  }

  /** Takes in devices outside the set that stand above `from + slack` in the last evaluation; returns their number. */
  function addDevices(from: number, slack: number): number {
    const logNorm = objective.peak - maximum(objective.logGain);
    let gained = 0;
    let highest = -1;
    for (let k = 0; k < devices; k++) {
      const value = objective.logGain[k]!;
      if (member[k] === 1 || !(value + logNorm > from + slack)) continue;
      if (highest < 0 || value > objective.logGain[highest]!) highest = k;
      if (count >= most) continue;
      append(k);
      gained++;
    }
    if (highest < 0 || gained > 0) return gained;
    exchange(highest);
    return 1;
  }

  function append(k: number): void {
    member[k] = 1;
    set[count++] = k;
    differentiate(count - 1);
  }

  /**
   * Takes in device k where the set is full: its row is a combination z of those of the set, and its multiplier rises
   * until the first of y - theta z is zero, whose device leaves (a pivot of the dual simplex method).
   */
  function exchange(k: number): void {
    for (let i = 0; i < count; i++) differentiate(i);
    factor();
    append(k);
    count--;
    for (let i = 0; i < count; i++) right[i] = 1 + dot(rows, i * size, rows, count * size, size);
    solve();
    let leaving = 0;
    let theta = Number.POSITIVE_INFINITY;
    for (let i = 0; i < count; i++) {
      const ratio = right[i]! > 1e-9 ? y[set[i]!]! / right[i]! : Number.POSITIVE_INFINITY;
      if (ratio < theta) {
        theta = ratio;
        leaving = i;
      }
    }
    if (theta < Number.POSITIVE_INFINITY) {
      for (let i = 0; i < count; i++) y[set[i]!] = Math.max(0, y[set[i]!]! - theta * right[i]!);
      y[k] = theta;
    }
    count++;
    drop(leaving);
  }

  /** Drops the devices whose multiplier is below `part` of the most negative one; false if there is none. */
  function dropNegative(part: number): boolean {
    let least = -1e-10;
    for (let i = 0; i < count; i++) least = Math.min(least, dual[i]!);
    if (least === -1e-10 || count === 1) return false;
    for (let i = count - 1; i >= 0 && count > 1; i--) {
      if (dual[i]! <= part * least) {
        dual[i] = dual[count - 1]!;
        drop(i);
      }
    }
    return true;
  }

  function drop(i: number): void {
    const k = set[i]!;
    member[k] = 0;
    y[k] = 0;
    count--;
    if (i === count) return;
    set[i] = set[count]!;
    rows.copyWithin(i * size, count * size, (count + 1) * size);
  }

  /** First-order multipliers: least squares of sum_k y_k J_k, sum y = 1. */
  function estimate(): void {
    factor();
    work.fill(0);
    project(work, -1);
    let sum = 0;
    for (let i = 0; i < count; i++) sum += Math.max(0, right[i]!);
    if (sum > 0) for (let i = 0; i < count; i++) y[set[i]!] = Math.max(0, right[i]!) / sum;
  }

  /** Whether the optimality conditions hold at the point with the multipliers at hand; notes their residual. */
  function settled(decrease: number): boolean {
    work.fill(0);
    let gap = peak;
    for (let i = 0; i < count; i++) {
      const k = set[i]!;
      axpy(work, rows, i * size, y[k]!, size);
      gap -= y[k]! * phi[k]!;
    }
    const squared = dot(work, 0, work, 0, size);
    finish.peak = peak;
    finish.residual = Math.max(gap, Math.sqrt(squared));
    // the objective is above the minimax value by the gap, and by a multiple of the square of the gradient
    finish.converged = gap <= Math.max(decrease, 1e-11) && squared <= Math.max(decrease, 1e-14);
    return finish.converged;
  }

  const finish: Finish = {
    run,
    multipliers: y,
    residual: Number.NaN,
    peak: Number.NaN,
    products: 0,
    converged: false,
  };
  return finish;
}

function maximum(a: Float64Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < a.length; i++) if (a[i]! > largest) largest = a[i]!;
  return largest;
}
