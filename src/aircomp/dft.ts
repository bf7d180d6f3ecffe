import FFT from "fft.js";
import { checkInteger } from "../core/index.ts";

/**
 * A discrete Fourier transform of one fixed length, on interleaved (re, im) buffers. `forward` computes
 * X[m] = sum_l x[l] exp(-2 pi i l m / n); `inverse` undoes it (with the 1/n). `out` must not be `input`.
 */
export interface Transform {
  readonly length: number;
  forward(out: Float64Array, input: Float64Array): void;
  inverse(out: Float64Array, input: Float64Array): void;
}

/** The part of fft.js that is used, with types (the package's own are all `any`). */
interface PowerOfTwoFft {
  transform(out: Float64Array, input: Float64Array): void;
  inverseTransform(out: Float64Array, input: Float64Array): void;
}
const PowerOfTwo = FFT as unknown as new (size: number) => PowerOfTwoFft;

/**
 * A transform of any length n >= 1: fft.js for powers of two, Bluestein's chirp algorithm on top of it
 * otherwise (L. Bluestein, IEEE Trans. Audio Electroacoust. 18(4), 1970).
 *
 * @throws InputError if n is not a whole number from 1 to 2^24.
 */
export function createTransform(n: number): Transform {
  checkInteger(n, "length", 1, 2 ** 24);
  if (n === 1) {
    const copy = (out: Float64Array, input: Float64Array): void => out.set(input.subarray(0, 2));
    return { length: 1, forward: copy, inverse: copy };
  }
  if ((n & (n - 1)) === 0) {
    const fft = new PowerOfTwo(n);
    return {
      length: n,
      forward: (out, input) => fft.transform(out, input),
      inverse: (out, input) => fft.inverseTransform(out, input),
    };
  }
  return bluestein(n);
}

function bluestein(n: number): Transform {
  let size = 1;
  while (size < 2 * n - 1) size *= 2;
  const fft = new PowerOfTwo(size);
  // chirp[l] = exp(-pi i l^2 / n); l^2 is reduced mod 2n so that the angle stays exact for large l
  const chirp = new Float64Array(2 * n);
  for (let l = 0; l < n; l++) {
    const angle = (-Math.PI * ((l * l) % (2 * n))) / n;
    chirp[2 * l] = Math.cos(angle);
    chirp[2 * l + 1] = Math.sin(angle);
  }
  const kernel = new Float64Array(2 * size);
  for (let l = 0; l < n; l++) {
    for (const position of l === 0 ? [0] : [l, size - l]) {
      kernel[2 * position] = chirp[2 * l]!;
      kernel[2 * position + 1] = -chirp[2 * l + 1]!;
    }
  }
  const spectrum = new Float64Array(2 * size);
  fft.transform(spectrum, kernel);
  const padded = new Float64Array(2 * size);
  const product = new Float64Array(2 * size);

  /** conjugate = true computes conj(DFT(conj(x))), which is n times the inverse transform */
  function run(out: Float64Array, input: Float64Array, conjugate: boolean, factor: number): void {
    const sign = conjugate ? -1 : 1;
    padded.fill(0);
    for (let l = 0; l < n; l++) {
      const re = input[2 * l]!;
      const im = sign * input[2 * l + 1]!;
      const cr = chirp[2 * l]!;
      const ci = chirp[2 * l + 1]!;
      padded[2 * l] = re * cr - im * ci;
      padded[2 * l + 1] = re * ci + im * cr;
    }
    fft.transform(product, padded);
    for (let i = 0; i < 2 * size; i += 2) {
      const re = product[i]!;
      const im = product[i + 1]!;
      product[i] = re * spectrum[i]! - im * spectrum[i + 1]!;
      product[i + 1] = re * spectrum[i + 1]! + im * spectrum[i]!;
    }
    fft.inverseTransform(padded, product);
    for (let m = 0; m < n; m++) {
      const re = padded[2 * m]!;
      const im = padded[2 * m + 1]!;
      const cr = chirp[2 * m]!;
      const ci = chirp[2 * m + 1]!;
      out[2 * m] = factor * (re * cr - im * ci);
      out[2 * m + 1] = sign * factor * (re * ci + im * cr);
    }
  }

  return {
    length: n,
    forward: (out, input) => run(out, input, false, 1),
    inverse: (out, input) => run(out, input, true, 1 / n),
  };
}
