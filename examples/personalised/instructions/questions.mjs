/**
 * The questions: "imports of Chad: machinery, foodstuffs, textiles\n". A topic is a list in the World Factbook, an
 * answer names things that are in it. The country says which part a question belongs to, so no country is in two of: the
 * text of the warm-up, the questions that the clients train on, the held-out questions.
 */
import { randomStream } from "airfold/core";
import { sources } from "../../federated-lora/sources.mjs";
import { encode, fold } from "../../federated-lora/text.mjs";

/** Topics by the word in the question, with the field of the Factbook. Clients ask about the first three. */
export const topics = {
  farming: "agriculture - products",
  imports: "imports - commodities",
  industry: "industries",
  exports: "exports - commodities",
  resources: "natural resources",
};

/** Characters: a country's name, and an answer without its newline, at most. A line then has 52 at most. */
const longestName = 12;
export const longestAnswer = 24;

/** A topic of a country counts with at least so many items. */
const fewestItems = 3;

const seed = 6;
const shares = { warmUp: 0.45, heldOut: 0.2 };

/**
 * @returns { warmUp, train, heldOut }: lists of { topic, country, prompt: tokens, items: strings,
 *   reference: Set of the words of all items }
 */
export function loadQuestions() {
  const parts = { warmUp: [], train: [], heldOut: [] };
  const names = Object.entries(topics);
  for (const { key, line } of sources.facts.read()) {
    if (key.length > longestName) continue;
    const topic = names.find(([, field]) => line.startsWith(`Q: What is the ${field} of `))?.[0];
    if (topic === undefined) continue;
    const items = itemsOf(line.slice(line.indexOf("? A: ") + 5));
    if (items.length < fewestItems) continue;
    const country = fold(key);
    parts[partOf(key)].push({
      topic,
      country,
      prompt: encode(promptOf(topic, country)),
      items,
      reference: new Set(contentWords(items.join(" "))),
    });
  }
  return parts;
}

const promptOf = (topic, country) => `${topic} of ${country}: `;

/** Words that say nothing about the content. */
const fillers = new Set(["and", "of", "the", "other"]);

/** Words of a text, runs of letters in lower case, without fillers. */
export const contentWords = (text) =>
  (text.toLowerCase().match(/[a-z]+/g) ?? []).filter((word) => !fillers.has(word));

/** An answer for the warm-up: items in random order, as many as fit. */
export function warmUpAnswer({ items }, stream) {
  let answer = "";
  for (const i of stream.permutation(items.length)) {
    const longer = answer === "" ? items[i] : `${answer}, ${items[i]}`;
    if (longer.length <= longestAnswer) answer = longer;
  }
  return answer;
}

/** Entries of a list, without shares, years and what is in brackets. */
function itemsOf(answer) {
  const items = fold(answer)
    .toLowerCase()
    .replace(/\([^)]*\)?/g, "")
    .split(/[,;:]/)
    .map((item) =>
      item
        .replace(/[^a-z' -]/g, "")
        .replace(/^\s*and /, "")
        .replace(/\s+/g, " ")
        .trim(),
    )
    .filter((item) => item.length > 2 && item.length <= longestAnswer);
  return [...new Set(items)];
}

function partOf(country) {
  let draw = randomStream(seed, "instructions", country).uniform();
  for (const [part, share] of Object.entries(shares)) {
    if (draw < share) return part;
    draw -= share;
  }
  return "train";
}
