/** Exit codes: done; not converged under --strict; bad input; interrupted. */
export const exitCodes = { done: 0, notConverged: 1, badInput: 2, interrupted: 130 } as const;
