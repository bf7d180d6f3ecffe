/**
 * PFTT against local tuning on little text, each with a learning rate chosen for that amount: node own-rates.mjs [characters].
 * Rates are chosen as in the study: the lowest validation loss on the tuning seed, with twice or half the rate while the
 * largest or smallest is the best. Prints the losses; about 6 minutes of computing.
 */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plan } from "./plan.mjs";
import work from "./worker.mjs";

const characters = Number(process.argv[2] ?? 500);
const settings = plan(false);
const checkpoint = join(tmpdir(), `own-rates-${process.pid}.json`);

async function lossOf(name, seed, rate, tuning) {
  const link = name === "local-only" ? "none" : "air";
  const id = `${name} ${characters} characters ${rate} seed ${seed}`;
  const trial = {
    id,
    population: "dictionaries",
    plan: name,
    link,
    seed,
    characters,
    ...(tuning ? { tuning } : {}),
  };
  const { looks } = await work({ trial, rate, settings, checkpoint });
  rmSync(checkpoint, { force: true });
  const { scores } = looks.at(-1);
  return scores.reduce((sum, { loss }) => sum + loss, 0) / scores.length;
}

const finals = {};
for (const name of ["local-only", "adapters-shared"]) {
  const tried = new Map();
  let open = [0.002, 0.004, 0.008];
  let best;
  while (open.length > 0) {
    for (const rate of open) {
      const loss = await lossOf(name, settings.tuning.seed, rate, true);
      tried.set(rate, loss);
      console.log(
        `${name}: rate ${rate}, validation loss ${loss.toFixed(4)} on seed ${settings.tuning.seed}`,
      );
    }
    const rates = [...tried.keys()].sort((a, b) => a - b);
    best = rates.reduce((kept, rate) => (tried.get(rate) < tried.get(kept) ? rate : kept));
    open = best === rates[0] ? [best / 2] : best === rates.at(-1) ? [2 * best] : [];
  }
  finals[name] = [];
  for (const seed of settings.seeds) {
    const loss = await lossOf(name, seed, best, false);
    finals[name].push(loss);
    console.log(`${name}: rate ${best}, test loss ${loss.toFixed(4)} on seed ${seed}`);
  }
}
const percent = finals["adapters-shared"].map((loss, i) => 100 * Math.expm1(loss - finals["local-only"][i]));
console.log(`adapters shared against local, perplexity: ${percent.map((p) => p.toFixed(1)).join(", ")} %`);
process.exit(0);
