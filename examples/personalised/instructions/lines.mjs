/** Questions with answers as padded batches for the policy. */

/**
 * @param lines { prompt, answer }: tokens; the answer ends with its newline
 * @returns { inputs, targets, count, length, mask }: the lines one after the other, each padded with newlines to the longest, rounded up to a
 *   multiple of four; mask (count * length) is 1 where the target is a character of the answer
 */
export function batchOf(lines) {
  const longest = Math.max(...lines.map(({ prompt, answer }) => prompt.length + answer.length - 1));
  const length = 4 * Math.ceil(longest / 4);
  const count = lines.length;
  const inputs = new Int32Array(count * length);
  const targets = new Int32Array(count * length);
  const mask = new Uint8Array(count * length);
  lines.forEach(({ prompt, answer }, row) => {
    const tokens = [...prompt, ...answer];
    for (let t = 0; t + 1 < tokens.length; t++) {
      inputs[row * length + t] = tokens[t];
      targets[row * length + t] = tokens[t + 1];
      mask[row * length + t] = t + 1 >= prompt.length ? 1 : 0;
    }
  });
  return { inputs, targets, count, length, mask };
}
