/**
 * The blocks of the transformer as TensorFlow.js operations with gradients of their own. The backend's own gradients
 * would do, but a product with a transposed or batched operand takes its slow path (ten times the time), so that every
 * block states its gradient in products that do not need one, and in as few operations as it can.
 *
 * Shapes: N = count * length characters in rows, W = width, V = vocabulary.
 */
import * as tf from "@tensorflow/tfjs";
import { attend, attendGradient } from "./attention.mjs";

const epsilon = 1e-5;

/**
 * x w for x (N x dIn) and w (dIn x dOut), with gradients in both.
 *
 * @param inputGradient false where nothing that is trained lies before x: saves a product
 */
export function product(x, w, inputGradient = true) {
  if (!inputGradient) {
    return tf.customGrad((weight, save) => {
      save([x]);
      return { value: tf.matMul(x, weight), gradFunc: (dy, [input]) => tf.matMul(tf.transpose(input), dy) };
    })(w);
  }
  return tf.customGrad((input, weight, save) => {
    save([input, weight]);
    return {
      value: tf.matMul(input, weight),
      gradFunc: (dy, [inner, outer]) => [
        tf.matMul(dy, tf.transpose(outer)),
        tf.matMul(tf.transpose(inner), dy),
      ],
    };
  })(x, w);
}

/** x w where w is not trained; `transposed` is w^T, made once. */
export function frozenProduct(x, w, transposed) {
  return tf.customGrad((input) => ({
    value: tf.matMul(input, w),
    gradFunc: (dy) => tf.matMul(dy, transposed),
  }))(x);
}

/** (x - mean) / sqrt(variance + 1e-5) along the rows of x (N x W). */
export function standardise(x) {
  return tf.customGrad((input, save) => {
    const centred = tf.sub(input, tf.mean(input, -1, true));
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.mul(centred, centred), -1, true), epsilon));
    const value = tf.mul(centred, inverse);
    save([value, inverse]);
    return {
      value,
      gradFunc: (dy, [normal, factor]) => {
        const along = tf.mul(normal, tf.mean(tf.mul(dy, normal), -1, true));
        return tf.mul(factor, tf.sub(tf.sub(dy, tf.mean(dy, -1, true)), along));
      },
    };
  })(x);
}

/**
 * GELU in the tanh form, 0.5 x (1 + tanh(u / 2)) = x sigmoid(u), u = 2 sqrt(2 / pi) (x + 0.044715 x^3); the sigmoid of
 * the backend is vectorised, its tanh and erf are not.
 */
export function gelu(x) {
  const linear = 2 * Math.sqrt(2 / Math.PI);
  const cubic = linear * 0.044715;
  return tf.customGrad((input, save) => {
    const square = tf.mul(input, input);
    const gate = tf.sigmoid(tf.mul(input, tf.add(tf.mul(square, cubic), linear)));
    const value = tf.mul(input, gate);
    save([square, gate, value]);
    return {
      value,
      // s + x s (1 - s) u' = s + y (1 - s) (c1 + 3 c2 x^2)
      gradFunc: (dy, [squared, s, y]) => {
        const slope = tf.add(tf.mul(squared, 3 * cubic), linear);
        return tf.mul(dy, tf.add(s, tf.mul(tf.mul(y, tf.sub(1, s)), slope)));
      },
    };
  })(x);
}

/**
 * -log softmax(logits)[target] for every row, N numbers: with p = softmax(x), log sum exp x = max x - log max p, and
 * max p is never small.
 *
 * @param logits N x V
 * @param targets N x V, one-hot
 */
export function crossEntropy(logits, targets) {
  return tf.customGrad((input, save) => {
    const share = tf.softmax(input);
    const behind = tf.sub(tf.max(input, -1), tf.sum(tf.mul(input, targets), -1));
    save([share, targets]);
    return {
      value: tf.sub(behind, tf.log(tf.max(share, -1))),
      gradFunc: (dy, [p, wanted]) => tf.mul(tf.sub(p, wanted), tf.expandDims(dy, -1)),
    };
  })(logits);
}

/**
 * Causal attention of all heads.
 *
 * @param projections N x 3 W: query, key, value side by side, in each the heads side by side
 * @param sizes { count, length, heads, width }
 * @returns N x W, the heads side by side
 */
export function causalAttention(projections, sizes) {
  return tf.customGrad((input, save) => {
    const { output, shares } = attend(input.dataSync(), sizes);
    save([input]);
    return {
      value: tf.tensor(output, [input.shape[0], sizes.width]),
      gradFunc: (dy, [saved]) =>
        tf.tensor(attendGradient(saved.dataSync(), shares, dy.dataSync(), sizes), saved.shape),
    };
  })(projections);
}
