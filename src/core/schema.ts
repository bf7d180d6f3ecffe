import type { z } from "zod";
import { describe, InputError } from "./errors.ts";

/**
 * Parses outside input with a zod schema: defaults filled in, unknown fields refused.
 *
 * @throws InputError for the first problem, naming its path below `field` ("" for the whole document).
 */
export function parseInput<T>(schema: z.ZodType<T>, value: unknown, field = ""): T {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  throw toInputError(deepest(result.error.issues[0]!), value, field);
}

type Issue = z.core.$ZodIssue;

/** Of a union, the branch that got furthest tells most. */
function deepest(issue: Issue): Issue {
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return issue;
  let best: Issue = issue;
  let depth = -1;
  for (const branch of issue.errors) {
    for (const inner of branch) {
      if (inner.path.length > depth && inner.path.length > 0) {
        best = { ...inner, path: [...issue.path, ...inner.path] } as Issue;
        depth = inner.path.length;
      }
    }
  }
  return best === issue ? issue : deepest(best);
}

function toInputError(issue: Issue, root: unknown, field: string): InputError {
  const path = pathName(field, issue.path);
  if (issue.code === "unrecognized_keys") {
    return new InputError(pathName(path, [issue.keys[0]!]), "an unknown field", "only the documented fields");
  }
  const found = valueAt(root, issue.path);
  return new InputError(
    path || "input",
    found === undefined ? "nothing" : describe(found),
    expectation(issue),
  );
}

function expectation(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return issue.expected === "int" ? "a whole number" : `${article(issue.expected)} ${issue.expected}`;
    case "invalid_value":
      return issue.values.length === 1
        ? describe(issue.values[0])
        : `one of ${issue.values.map((value) => describe(value)).join(", ")}`;
    case "too_small":
      return bound(issue.origin, issue.inclusive === false ? ">" : ">=", issue.minimum);
    case "too_big":
      return bound(issue.origin, issue.inclusive === false ? "<" : "<=", issue.maximum);
    case "invalid_union":
      return issue.errors.length === 0
        ? `one of ${("options" in issue ? (issue.options ?? []) : []).map((option) => describe(option)).join(", ")}`
        : issue.errors.map((branch) => expectation(branch[0]!)).join(", or ");
    default:
      return issue.message;
  }
}

function bound(origin: string, sign: string, limit: unknown): string {
  if (origin === "array" || origin === "string") return `a length ${sign} ${limit}`;
  return `a number ${sign} ${limit}`;
}

function article(noun: string): string {
  return /^[aeiou]/.test(noun) ? "an" : "a";
}

function pathName(field: string, path: readonly PropertyKey[]): string {
  let name = field;
  for (const part of path) {
    if (typeof part === "number") name += `[${part}]`;
    else name += name === "" ? String(part) : `.${String(part)}`;
  }
  return name;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const part of path) {
    if (value === null || typeof value !== "object") return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}
