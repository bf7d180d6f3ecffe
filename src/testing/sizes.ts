import fc from "fast-check";

/** A dimension: one number, or a range of them. */
export type Size = number | { readonly min?: number; readonly max?: number };

/** Whole numbers of a size; shrinks to the smallest. Bounds that are left out are those of `fallback`. */
export function dimension(
  size: Size | undefined,
  fallback: { readonly min: number; readonly max: number },
): fc.Arbitrary<number> {
  if (typeof size === "number") return fc.constant(size);
  const min = size?.min ?? fallback.min;
  return fc.integer({ min, max: size?.max ?? Math.max(min, fallback.max) });
}
