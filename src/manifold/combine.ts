import { checkInteger, describe, InputError } from "../core/index.ts";
import { type ComplexMatrix, ComplexStack } from "../linalg/index.ts";
import * as kernel from "../linalg/kernels/index.ts";
import { makeManifold, type PointShape, stackShape } from "./make.ts";
import type { Manifold, ManifoldKernels } from "./types.ts";

/** The points of each factor, by name. */
export type ProductPoint<M> = { readonly [Name in keyof M]: M[Name] extends Manifold<infer P> ? P : never };

/**
 * The product of named manifolds: points and tangents are records; inner products add up.
 *
 * @throws InputError unless there is at least one factor and all are manifolds.
 */
// biome-ignore lint/suspicious/noExplicitAny: the factors have points of different types
export function product<M extends { readonly [name: string]: Manifold<any> }>(
  factors: M,
): Manifold<ProductPoint<M>> {
  const names = Object.keys(factors ?? {});
  if (names.length === 0)
    throw new InputError("factors", describe(factors), "a record of at least one manifold");
  for (const name of names) {
    if (typeof factors[name]?.kernels?.size !== "number") {
      throw new InputError(`factors.${name}`, describe(factors[name]), "a manifold");
    }
  }
  const parts = names.map((name) => factors[name]!.kernels);
  const starts = parts.map((_, i) => parts.slice(0, i).reduce((sum, part) => sum + part.size, 0));
  const shape: PointShape<ProductPoint<M>> = {
    view: (flat, at) =>
      Object.fromEntries(
        names.map((name, i) => [name, factors[name]!.view(flat, at + starts[i]!)]),
      ) as ProductPoint<M>,
    write(flat, point, field, at) {
      if (point === null || typeof point !== "object") {
        throw new InputError(field, describe(point), `a record of ${names.join(", ")}`);
      }
      names.forEach((name, i) => {
        const part = (point as Readonly<Record<string, unknown>>)[name];
        factors[name]!.write(flat, part, `${field}.${name}`, at + starts[i]!);
      });
    },
  };
  const label = `product(${names.map((name) => `${name}: ${factors[name]!.name}`).join(", ")})`;
  return makeManifold(label, sideBySide(parts, starts), shape);
}

/**
 * `count` copies of a manifold of matrices: points are stacks [count, rows, cols]. A power of a power has one
 * more leading dimension.
 *
 * @throws InputError unless count is a whole number >= 1.
 */
export function power(
  manifold: Manifold<ComplexMatrix> | Manifold<ComplexStack>,
  count: number,
): Manifold<ComplexStack> {
  checkInteger(count, "count", 1);
  if (typeof manifold?.kernels?.size !== "number")
    throw new InputError("manifold", describe(manifold), "a manifold");
  const sample = manifold.view(new Float64Array(manifold.kernels.size));
  if (!(sample instanceof ComplexStack) && !(sample?.data instanceof Float64Array)) {
    throw new InputError(
      "manifold",
      manifold.name,
      "a manifold of matrices or stacks (a product can hold powers)",
    );
  }
  const inner = sample instanceof ComplexStack ? sample.shape : [sample.rows, sample.cols];
  const parts = new Array<ManifoldKernels>(count).fill(manifold.kernels);
  const starts = parts.map((part, i) => i * part.size);
  return makeManifold(
    `power(${manifold.name}, ${count})`,
    sideBySide(parts, starts),
    stackShape([count, ...inner]),
  );
}

/** Kernels of factors that lie one after the other. */
function sideBySide(parts: readonly ManifoldKernels[], starts: readonly number[]): ManifoldKernels {
  const count = parts.length;
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const kernels: { -readonly [K in keyof ManifoldKernels]: ManifoldKernels[K] } = {
    size,
    dimension: parts.reduce((sum, part) => sum + part.dimension, 0),
    inner(at, x, u, v) {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += parts[i]!.inner(at + starts[i]!, x, u, v);
      return sum;
    },
    project(at, out, x, z) {
      for (let i = 0; i < count; i++) parts[i]!.project(at + starts[i]!, out, x, z);
    },
    toGradient(at, out, x, g) {
      for (let i = 0; i < count; i++) parts[i]!.toGradient(at + starts[i]!, out, x, g);
    },
    toHessian(at, out, x, g, h, u) {
      for (let i = 0; i < count; i++) parts[i]!.toHessian(at + starts[i]!, out, x, g, h, u);
    },
    retract(at, y, x, u, t) {
      for (let i = 0; i < count; i++) parts[i]!.retract(at + starts[i]!, y, x, u, t);
    },
    transport(at, out, v, x, u, t, y) {
      for (let i = 0; i < count; i++) parts[i]!.transport(at + starts[i]!, out, v, x, u, t, y);
    },
    distance(at, x, y) {
      let sum = 0;
      for (let i = 0; i < count; i++) sum += parts[i]!.distance(at + starts[i]!, x, y) ** 2;
      return Math.sqrt(sum);
    },
    randomPoint(at, x, stream) {
      for (let i = 0; i < count; i++) parts[i]!.randomPoint(at + starts[i]!, x, stream);
    },
    randomTangent(at, u, x, stream) {
      // a direction that is uniform over the whole tangent space: factors weigh with their dimension
      let sum = 0;
      for (let i = 0; i < count; i++) {
        const part = parts[i]!;
        part.randomTangent(at + starts[i]!, u, x, stream);
        let weight = 0;
        for (let d = 0; d < part.dimension; d++) weight += stream.normal() ** 2;
        sum += weight;
        const end = at + starts[i]! + part.size;
        for (let j = at + starts[i]!; j < end; j++) u[j]! *= Math.sqrt(weight);
      }
      const length = Math.sqrt(sum);
      if (length > 0) for (let j = at; j < at + size; j++) u[j]! /= length;
    },
    pointResidual(at, x) {
      let largest = 0;
      for (let i = 0; i < count; i++)
        largest = Math.max(largest, parts[i]!.pointResidual(at + starts[i]!, x));
      return largest;
    },
    vectorResidual(at, x, u) {
      // relative to the whole of u: a factor whose part is rounding noise does not count
      let missing = 0;
      let all = 0;
      for (let i = 0; i < count; i++) {
        const start = at + starts[i]!;
        const squared = kernel.squaredNorm(u, start, parts[i]!.size / 2);
        missing += parts[i]!.vectorResidual(start, x, u) ** 2 * squared;
        all += squared;
      }
      return all === 0 ? 0 : Math.sqrt(missing / all);
    },
  };
  if (parts.every((part) => part.exp !== undefined)) {
    kernels.exp = (at, y, x, u, t) => {
      for (let i = 0; i < count; i++) parts[i]!.exp!(at + starts[i]!, y, x, u, t);
    };
  }
  if (parts.every((part) => part.log !== undefined)) {
    kernels.log = (at, u, x, y) => {
      for (let i = 0; i < count; i++) parts[i]!.log!(at + starts[i]!, u, x, y);
    };
  }
  return kernels;
}
