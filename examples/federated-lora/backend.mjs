/** The WASM backend of TensorFlow.js in Node, in the main thread and in worker threads. */
import { createRequire } from "node:module";
import { dirname, sep } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { setThreadsCount, setWasmPaths } from "@tensorflow/tfjs-backend-wasm";

let started;

/**
 * Starts the backend, once. One thread: the order of the sums, and so every bit, is the same in every run, and the
 * study runs its workers side by side anyway.
 *
 * @returns the namespace of TensorFlow.js
 */
export function startBackend() {
  started ??= start();
  return started;
}

async function start() {
  const entry = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm");
  setWasmPaths(dirname(entry) + sep);
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  setThreadsCount(1);
  if (!(await tf.setBackend("wasm"))) throw new Error("TensorFlow.js: the WASM backend does not start");
  await tf.ready();
  return tf;
}
