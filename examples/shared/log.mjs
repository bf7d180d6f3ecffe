/** The log of a study: a header with its settings, then one line of JSON per finished job. */
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

/**
 * What an earlier run finished; a log of other settings ends the process with code 2, a line that was cut off is left out.
 *
 * @param header one line
 * @returns { finished: Map of results by id, append(result), sort(ids) }
 */
export function openLog(file, header) {
  const finished = new Map();
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
  if (lines.length > 0 && lines[0] !== header) {
    process.stderr.write(
      `--out: found ${file} of other settings (another version of the study, or --quick), expected a folder of its own\n`,
    );
    process.exit(2);
  }
  const whole = [header];
  for (const line of lines.slice(1)) {
    try {
      const result = JSON.parse(line);
      finished.set(result.id, result);
      whole.push(line);
    } catch {
      // the run was killed while it wrote this line
    }
  }
  const rewrite = (content) => {
    writeFileSync(`${file}.new`, `${content.join("\n")}\n`);
    renameSync(`${file}.new`, file);
  };
  rewrite(whole);
  return {
    finished,
    append(result) {
      finished.set(result.id, result);
      appendFileSync(file, `${JSON.stringify(result)}\n`);
    },
    /** In the order of the plan, however many workers there were. */
    sort(ids) {
      rewrite([header, ...ids.map((id) => JSON.stringify(finished.get(id)))]);
    },
  };
}
