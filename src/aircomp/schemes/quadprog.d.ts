/** The part of quadprog that is used; the package has no types. Indices start at 1: element 0 is not read. */
declare module "quadprog" {
  const quadprog: {
    solveQP(
      quadratic: number[][],
      linear: number[],
      constraints: number[][],
      bounds: number[],
      equalities: number,
      factorized: number[],
    ): { readonly solution?: number[]; readonly message: string };
  };
  export default quadprog;
}
