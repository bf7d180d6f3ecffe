/**
 * The clients' texts, in two populations that differ in how much the clients have in common. Every client has little to
 * train on, and a way of writing of its own.
 *
 * Every country, word and passage is in one part only (training, validation, test), for all clients, and none is in
 * the text that the base was trained on.
 */
import { randomStream } from "airfold/core";
import { readProse } from "../../federated-lora/sources.mjs";
import { decode, encode, loadTask } from "../../federated-lora/tasks.mjs";

/** Of the keys; what is left trains. */
const shares = { validation: 0.2, test: 0.3 };

/** Characters of a client's text; the training text, of any length, is drawn from a larger pool by the seed. */
export const limits = { validation: 4_000, test: 8_000 };

const seed = 8;

const facts = { task: "facts" };
const definitions = { task: "definitions" };
const sounds = { task: "pronunciation" };
const prose = { task: "prose" };
const plain = ({ line }) => line;
const lower = (text) => text.replace(/\d/g, "").toLowerCase();

/** The two populations: where a client's entries are from, and how it writes them. */
export const populations = {
  // one skill, from letters to sounds, for words of other initial letters and in a notation of its own
  dictionaries: [
    { name: "a", ...sounds, section: "a", write: plain },
    { name: "b", ...sounds, section: "b", write: ({ word, list }) => `${word} = ${lower(list.join("-"))}` },
    { name: "c", ...sounds, section: "c", write: ({ word, list }) => `${list.join(".")} < ${word}` },
    {
      name: "d",
      ...sounds,
      section: "d",
      write: ({ word, list }) => `${word} [${list.join(" ").toLowerCase()}]`,
    },
    {
      name: "e-g",
      ...sounds,
      section: "e-g",
      write: ({ word, list }) => `${word.toUpperCase()} / ${list.join(" ").replace(/\d/g, "")}`,
    },
    {
      name: "h-j",
      ...sounds,
      section: "h-j",
      write: ({ word, list }) => `${word} -> ${list.join("").replace(/\d/g, "")}`,
    },
    {
      name: "k-l",
      ...sounds,
      section: "k-l",
      // stress in front of the vowel, syllables counted
      write: ({ word, list }) =>
        `${list.filter((sound) => /\d/.test(sound)).length} ${word}: ${list.map((sound) => sound.replace(/(\D+)(\d)/, "$2$1")).join(" ")}`,
    },
    {
      name: "m-o",
      ...sounds,
      section: "m-o",
      write: ({ word, list }) => `${word}, ${lower(list.join(","))};`,
    },
  ],
  // four tasks that have little more than English in common, two clients each
  tasks: [
    { name: "facts", short: "F", ...facts, section: "Government", write: plain },
    {
      name: "facts, table",
      short: "F table",
      ...facts,
      section: "Geography",
      write: ({ country, field, value }) => `${country.toUpperCase()} | ${field}: ${value}`,
    },
    { name: "definitions", short: "D", ...definitions, section: "noun.animal", write: plain },
    {
      name: "definitions, reversed",
      short: "D rev.",
      ...definitions,
      section: "noun.artifact",
      write: ({ word, meaning }) => `${meaning} = ${word}`,
    },
    { name: "sounds", short: "S", ...sounds, section: "a", write: plain },
    {
      name: "sounds, lower case",
      short: "S lower",
      ...sounds,
      section: "s-z",
      write: ({ word, list }) => `${word} = ${lower(list.join("-"))}`,
    },
    // what the base was trained on is texts like these, not these
    { name: "speech", ...prose, texts: ["2000_william_j_clinton_d"], write: plain },
    { name: "novel", ...prose, texts: ["chapter_41", "chapter_42"], write: plain },
  ],
};

/** The key of a line, and its parts. */
const readers = {
  facts(line) {
    const [, field, country, value] = /^Q: What is the (.*) of (.*?)\? A: (.*)$/.exec(line) ?? [];
    return country && { key: country, line, field, country, value };
  },
  definitions(line) {
    const [, word, meaning] = /^(.*?) \(\w+\): (.*)$/.exec(line) ?? [];
    return word && { key: word.toLowerCase(), line, word, meaning };
  },
  pronunciation(line) {
    const [, word, spoken] = /^(.*?): (.*)$/.exec(line) ?? [];
    return word && { key: word.replace(/'s?$/, ""), line, word, list: spoken.split(" ") };
  },
  prose: (line) => ({ key: line, line }),
};

/**
 * The texts of all clients.
 *
 * @param population one of `populations`
 * @param drawSeed draws the training text from the pool of each client; validation and test text are always the same
 * @param characters of training text
 * @returns { name, train, validation, test }[], Uint8Array of tokens
 */
export function loadClients(population, drawSeed, characters) {
  const lengths = { train: characters, ...limits };
  return poolsOf(population).map(({ name, pool }) => {
    const tokens = Object.entries(pool).map(([part, lines]) => {
      const stream = randomStream(part === "train" ? drawSeed : seed, "lines", name, part);
      const order = Array.from(stream.permutation(lines.length), (i) => lines[i]);
      return [part, upTo(order, lengths[part])];
    });
    return { name, ...Object.fromEntries(tokens) };
  });
}

const pools = new Map();

/** All lines of every client by part, read once: { name, pool: { train, validation, test } }[]. */
function poolsOf(population) {
  if (!pools.has(population)) pools.set(population, readPools(populations[population]));
  return pools.get(population);
}

function readPools(clients) {
  const tasks = new Map();
  let prose;
  const linesOf = ({ task, section, texts }) => {
    if (texts !== undefined) {
      prose ??= new Map(readProse().map(({ name, text }) => [name, text]));
      return texts.flatMap((name) => passages(prose.get(name)));
    }
    if (!tasks.has(task)) tasks.set(task, loadTask(task));
    const { labels, train } = tasks.get(task);
    // the part of the task that the base has not seen
    return decode(train[labels.indexOf(section)]).split("\n");
  };
  return clients.map((client) => {
    const pool = { train: [], validation: [], test: [] };
    for (const line of linesOf(client)) {
      const entry = line === "" ? undefined : readers[client.task](line);
      if (entry === undefined) continue;
      const part = partOf(randomStream(seed, "split", client.task, entry.key).uniform());
      pool[part].push(`${client.write(entry)}\n`);
    }
    return { name: client.name, pool };
  });
}

/** Sentences in a row, as many as it takes to reach 300 characters. */
function passages(text) {
  const all = [""];
  for (const sentence of text.replaceAll("\n", " ").split(/(?<=[.!?]"?) +(?=["A-Z])/)) {
    if (all.at(-1).length >= 300) all.push("");
    all.push(`${all.pop()} ${sentence}`.trim());
  }
  return all;
}

function partOf(draw) {
  if (draw < shares.validation) return "validation";
  return draw < shares.validation + shares.test ? "test" : "train";
}

/** The first so many characters, as tokens. */
function upTo(lines, limit) {
  const tokens = encode(lines.join(""));
  if (tokens.length < limit)
    throw new RangeError(`text: found ${tokens.length} characters, expected ${limit}`);
  return tokens.slice(0, limit);
}
