/** Exit codes: done; not converged under --strict; bad input; internal error (EX_SOFTWARE of sysexits.h); interrupted. */
export const exitCodes = {
  done: 0,
  notConverged: 1,
  badInput: 2,
  internalError: 70,
  interrupted: 130,
} as const;
