/**
 * cli: the command line `airfold`, a thin shell over the other rooms. It reads files, spreads work over worker
 * threads, shows progress, writes results whole or not at all, and turns input errors into one clear line.
 */
export { run } from "./run.ts";
