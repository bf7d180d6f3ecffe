import { afterAll } from "vitest";
import {
  complexCircle,
  complexEuclidean,
  complexGrassmann,
  complexOblique,
  complexSphere,
  complexStiefel,
  hermitianPositiveDefinite,
  power,
  product,
} from "../../../src/manifold/index.ts";
import { testManifold, worst } from "./conformance.ts";

/** Every manifold at several sizes, with every option. A new manifold is a line here. */
for (const n of [1, 5]) {
  testManifold(`sphere ${n}`, () => complexSphere(n), { dimension: 2 * n - 1, order: 2 });
  testManifold(`circle ${n}`, () => complexCircle(n), { dimension: n, order: 2, isometric: true });
}
for (const [rows, cols] of [
  [1, 1],
  [3, 2],
] as const) {
  testManifold(`Euclidean ${rows} x ${cols}`, () => complexEuclidean(rows, cols), {
    dimension: 2 * rows * cols,
    order: 2,
    isometric: true,
  });
}
for (const [rows, cols] of [
  [1, 3],
  [4, 1],
  [4, 3],
] as const) {
  testManifold(`oblique ${rows} x ${cols}`, () => complexOblique(rows, cols), {
    dimension: cols * (2 * rows - 1),
    order: 2,
  });
}
for (const [n, p] of [
  [1, 1],
  [5, 1],
  [4, 4],
  [7, 3],
] as const) {
  for (const retraction of ["qr", "polar"] as const) {
    testManifold(`Stiefel ${n} x ${p}, ${retraction}`, () => complexStiefel(n, p, { retraction }), {
      dimension: 2 * n * p - p * p,
      order: retraction === "polar" ? 2 : 1,
      log: false,
      distance: "chordal",
    });
  }
}
for (const [n, p] of [
  [1, 1],
  [5, 1],
  [4, 4],
  [5, 4],
  [6, 3],
] as const) {
  for (const retraction of ["polar", "qr", "exp"] as const) {
    for (const transport of ["projection", "parallel"] as const) {
      testManifold(
        `Grassmann ${n} x ${p}, ${retraction}, ${transport}`,
        () => complexGrassmann(n, p, { retraction, transport }),
        { dimension: 2 * p * (n - p), order: 2, isometric: transport === "parallel", blocks: [[n, p]] },
      );
    }
  }
}
for (const n of [1, 2, 4]) {
  for (const retraction of ["second-order", "exp"] as const) {
    for (const transport of ["parallel", "cholesky"] as const) {
      testManifold(
        `positive definite ${n}, ${retraction}, ${transport}`,
        () => hermitianPositiveDefinite(n, { retraction, transport }),
        { dimension: n * n, order: 2, isometric: true, step: 0.01, reach: 3 },
      );
    }
  }
}
testManifold("power of Stiefel", () => power(complexStiefel(4, 2), 3), {
  dimension: 36,
  order: 1,
  log: false,
  distance: "chordal",
});
testManifold("power of Grassmann", () => power(complexGrassmann(4, 2), 2), {
  dimension: 16,
  order: 2,
  blocks: [
    [4, 2],
    [4, 2],
  ],
});
testManifold("power of a power of circles", () => power(power(complexCircle(3), 2), 2), {
  dimension: 12,
  order: 2,
  isometric: true,
});
testManifold(
  "product",
  () =>
    product({
      phases: complexCircle(3),
      power: hermitianPositiveDefinite(2),
      columns: complexOblique(3, 2),
      offset: complexEuclidean(2, 1),
    }),
  { dimension: 3 + 4 + 10 + 4, order: 2, step: 0.01 },
);
testManifold(
  "product with a factor of dimension 0",
  () => product({ all: complexGrassmann(2, 2), line: complexGrassmann(3, 1) }),
  {
    dimension: 4,
    order: 2,
    blocks: [
      [2, 2],
      [3, 1],
    ],
  },
);

afterAll(() => {
  if (process.env["SHOW_WORST"] === "1") console.log(worst);
});
