/**
 * Answers from the policy in plain JavaScript with a cache of keys and values: one character of all answers at a time, a
 * question read once for all its answers. Double precision; the log-probabilities are those of policy.mjs up to its float32.
 */

import { addMultiple, dot } from "./attention.mjs";

const newline = 0;
const epsilon = 1e-5;

/**
 * @param weights merged, Float64Array by name (`mergedWeights`)
 * @param links of the attention (attention.mjs)
 */
export function createSampler(weights, sizes, links) {
  const { width, layers, hidden, vocabulary, context } = sizes;
  const get = (name) => weights.get(name);
  const layerWeights = Array.from({ length: layers }, (_, l) => ({
    gain1: get(`layer${l}.norm1.gain`),
    bias1: get(`layer${l}.norm1.bias`),
    query: get(`layer${l}.query`),
    key: get(`layer${l}.key`),
    value: get(`layer${l}.value`),
    output: get(`layer${l}.output`),
    gain2: get(`layer${l}.norm2.gain`),
    bias2: get(`layer${l}.norm2.bias`),
    expand: get(`layer${l}.expand`),
    contract: get(`layer${l}.contract`),
  }));
  const embedding = get("embedding");
  const position = get("position");
  let room = { count: 0 };

  /**
   * Answers to questions.
   *
   * @param prompts tokens of every question
   * @param streams for every question a list with a RandomStream for every answer; undefined in place of a stream: the
   *   most likely character at every step (greedy); a list of tokens: these, whatever their probability
   * @param longest characters of an answer with its newline, at most
   * @returns for every question a list of { tokens, logProbabilities }; the last token is a newline unless the answer was cut off
   */
  function answer(prompts, streams, longest) {
    for (const prompt of prompts) {
      if (prompt.length + longest > context + 1) {
        throw new RangeError(
          `prompt: found ${prompt.length} characters, expected at most ${context + 1 - longest}`,
        );
      }
    }
    const all = streams.flatMap((own, question) =>
      own.map((stream) => ({ stream, question, tokens: [], logProbabilities: [] })),
    );
    all.forEach((one, slot) => {
      one.slot = slot;
    });
    reserve(all.length);
    const firsts = prompts.map((_, question) => all.find((one) => one.question === question).slot);
    // the questions, each in the slot of its first answer; the logits of its last character are kept
    const begun = prompts.map(() => new Float64Array(vocabulary));
    for (let t = 0, open = prompts.map((_, i) => i); open.length > 0; t++) {
      step(
        open.map((i) => prompts[i][t]),
        open.map((i) => firsts[i]),
        open.map(() => t),
      );
      open.forEach((i, row) => {
        if (t === prompts[i].length - 1) {
          begun[i].set(room.logits.subarray(row * vocabulary, (row + 1) * vocabulary));
        }
      });
      open = open.filter((i) => t + 1 < prompts[i].length);
    }
    for (const { slot, question } of all) {
      const from = firsts[question] * context * width;
      const to = slot * context * width;
      if (to === from) continue;
      const end = from + prompts[question].length * width;
      for (const { keys, values } of room.caches) {
        keys.copyWithin(to, from, end);
        values.copyWithin(to, from, end);
      }
    }
    let active = all;
    let logitsOf = (one) => ({ logits: begun[one.question], from: 0 });
    while (active.length > 0) {
      active.forEach((one, row) => {
        const { logits, from } = logitsOf(one, row);
        const { token, logProbability } = choose(logits, from, one.stream, one.tokens.length);
        one.tokens.push(token);
        one.logProbabilities.push(logProbability);
      });
      active = active.filter(({ tokens }) => tokens.at(-1) !== newline && tokens.length < longest);
      if (active.length === 0) break;
      step(
        active.map(({ tokens }) => tokens.at(-1)),
        active.map(({ slot }) => slot),
        active.map(({ question, tokens }) => prompts[question].length + tokens.length - 1),
      );
      logitsOf = (_, row) => ({ logits: room.logits, from: row * vocabulary });
    }
    return prompts.map((_, question) =>
      all
        .filter((one) => one.question === question)
        .map(({ tokens, logProbabilities }) => ({ tokens, logProbabilities })),
    );
  }

  function choose(logits, from, stream, place) {
    let best = 0;
    for (let v = 1; v < vocabulary; v++) if (logits[from + v] > logits[from + best]) best = v;
    const highest = logits[from + best];
    let total = 0;
    for (let v = 0; v < vocabulary; v++) total += Math.exp(logits[from + v] - highest);
    let token = best;
    if (Array.isArray(stream)) token = stream[place];
    else if (stream !== undefined) {
      let left = stream.uniform() * total;
      for (let v = 0; v < vocabulary; v++) {
        left -= Math.exp(logits[from + v] - highest);
        if (left < 0) {
          token = v;
          break;
        }
      }
    }
    return { token, logProbability: logits[from + token] - highest - Math.log(total) };
  }

  /** One character of some sequences: tokens[i] at place places[i] of the sequence in slot slots[i]; its logits are row i. */
  function step(tokens, slots, places) {
    const n = tokens.length;
    const { x } = room;
    for (let i = 0; i < n; i++) {
      const [character, place] = [tokens[i] * width, places[i] * width];
      for (let d = 0; d < width; d++) x[i * width + d] = embedding[character + d] + position[place + d];
    }
    for (let layer = 0; layer < layers; layer++) block(layer, n, slots, places);
    standardise(room.normed, x, get("norm.gain"), get("norm.bias"), n);
    multiply(room.logits, room.normed, embedding, n, vocabulary, width);
  }

  function block(layer, n, slots, places) {
    const w = layerWeights[layer];
    const { x, normed, queries, projected, mixed, added, inner, caches } = room;
    const { keys, values } = caches[layer];
    standardise(normed, x, w.gain1, w.bias1, n);
    multiply(queries, normed, w.query, n, width, width);
    multiply(projected, normed, w.key, n, width, width);
    store(keys, projected, slots, places);
    multiply(projected, normed, w.value, n, width, width);
    store(values, projected, slots, places);
    for (let i = 0; i < n; i++)
      attendOne(mixed, queries, keys, values, i, slots[i] * context * width, places[i]);
    multiply(added, mixed, w.output, n, width, width);
    for (let i = 0; i < n * width; i++) x[i] += added[i];
    standardise(normed, x, w.gain2, w.bias2, n);
    multiply(inner, normed, w.expand, n, hidden, width);
    for (let i = 0; i < n * hidden; i++) inner[i] = gelu(inner[i]);
    multiply(added, inner, w.contract, n, width, hidden);
    for (let i = 0; i < n * width; i++) x[i] += added[i];
  }

  function store(cache, from, slots, places) {
    for (let i = 0; i < slots.length; i++) {
      const to = (slots[i] * context + places[i]) * width;
      for (let d = 0; d < width; d++) cache[to + d] = from[i * width + d];
    }
  }

  /** Attention of the character at place t of one sequence, whose cache begins at `first`. */
  function attendOne(to, queries, keys, values, i, first, t) {
    const { start, at } = links;
    const { shares } = room;
    const size = width / sizes.heads;
    const scale = 1 / Math.sqrt(size);
    for (let column = 0; column < width; column += size) {
      const query = i * width + column;
      let highest = Number.NEGATIVE_INFINITY;
      for (let e = start[t]; e < start[t + 1]; e++) {
        const score = scale * dot(queries, query, keys, first + at[e] * width + column, size);
        shares[e - start[t]] = score;
        if (score > highest) highest = score;
      }
      let total = 0;
      for (let e = 0; e < start[t + 1] - start[t]; e++) {
        shares[e] = Math.exp(shares[e] - highest);
        total += shares[e];
      }
      to.fill(0, query, query + size);
      for (let e = start[t]; e < start[t + 1]; e++) {
        addMultiple(to, query, shares[e - start[t]] / total, values, first + at[e] * width + column, size);
      }
    }
  }

  function standardise(to, from, gain, bias, n) {
    for (let i = 0; i < n; i++) {
      const row = i * width;
      let mean = 0;
      for (let d = 0; d < width; d++) mean += from[row + d];
      mean /= width;
      let variance = 0;
      for (let d = 0; d < width; d++) variance += (from[row + d] - mean) ** 2;
      const inverse = 1 / Math.sqrt(variance / width + epsilon);
      for (let d = 0; d < width; d++) to[row + d] = (from[row + d] - mean) * inverse * gain[d] + bias[d];
    }
  }

  function reserve(count) {
    if (room.count >= count) return;
    const rows = 4 * Math.ceil(count / 4);
    const many = (size) => new Float64Array(rows * size);
    room = {
      count,
      x: many(width),
      normed: many(width),
      queries: many(width),
      projected: many(width),
      mixed: many(width),
      added: many(width),
      inner: many(hidden),
      logits: many(vocabulary),
      shares: new Float64Array(context),
      caches: layerWeights.map(() => ({ keys: many(context * width), values: many(context * width) })),
    };
  }

  return { answer };
}

/**
 * to = x w^T for x (n x dIn) and w (dOut x dIn, dOut even), in blocks of four rows of x and two of w; what the last block writes
 * behind the last row is not read by anybody.
 */
function multiply(to, x, w, n, dOut, dIn) {
  for (let r = 0; r < n; r += 4) {
    const x0 = r * dIn;
    const x1 = x0 + dIn;
    const x2 = x1 + dIn;
    const x3 = x2 + dIn;
    for (let i = 0; i < dOut; i += 2) {
      const w0 = i * dIn;
      const w1 = w0 + dIn;
      let a0 = 0;
      let a1 = 0;
      let a2 = 0;
      let a3 = 0;
      let b0 = 0;
      let b1 = 0;
      let b2 = 0;
      let b3 = 0;
      for (let j = 0; j < dIn; j++) {
        const a = w[w0 + j];
        const b = w[w1 + j];
        const c0 = x[x0 + j];
        const c1 = x[x1 + j];
        const c2 = x[x2 + j];
        const c3 = x[x3 + j];
        a0 += a * c0;
        a1 += a * c1;
        a2 += a * c2;
        a3 += a * c3;
        b0 += b * c0;
        b1 += b * c1;
        b2 += b * c2;
        b3 += b * c3;
      }
      const place = r * dOut + i;
      to[place] = a0;
      to[place + 1] = b0;
      to[place + dOut] = a1;
      to[place + dOut + 1] = b1;
      to[place + 2 * dOut] = a2;
      to[place + 2 * dOut + 1] = b2;
      to[place + 3 * dOut] = a3;
      to[place + 3 * dOut + 1] = b3;
    }
  }
}

/** As in federated-lora/blocks.mjs: x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)). */
function gelu(x) {
  const u = 2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x);
  return x / (1 + Math.exp(-u));
}
