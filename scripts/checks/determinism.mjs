// Randomness and time are arguments: src reads no global source of either.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { failures, report } from "../support.mjs";

const forbidden = { Math: ["random"], Date: ["now"], crypto: ["getRandomValues", "randomUUID"] };

const files = readdirSync("src", { recursive: true }).filter((file) => file.endsWith(".ts"));
for (const file of files) {
  const path = join("src", file);
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
  visit(source, (node) => {
    const use = globalUse(node);
    if (!use) return;
    const { line } = source.getLineAndCharacterOfPosition(node.getStart());
    failures.push(`${path}:${line + 1}: ${use}`);
  });
}
report(`${files.length} files`);

function visit(node, look) {
  look(node);
  ts.forEachChild(node, (child) => visit(child, look));
}

/** `Math.random`, `Math["random"]`, `Date.now`, `new Date()`, `Date()`; not a given date, nor comments and types. */
function globalUse(node) {
  if (ts.isNewExpression(node) && nameOf(node.expression) === "Date") {
    return node.arguments?.length ? undefined : "new Date()";
  }
  if (ts.isCallExpression(node) && nameOf(node.expression) === "Date") return "Date()";
  if (!ts.isPropertyAccessExpression(node) && !ts.isElementAccessExpression(node)) return undefined;
  const object = nameOf(node.expression);
  const member = ts.isPropertyAccessExpression(node) ? node.name : node.argumentExpression;
  const used = Object.hasOwn(forbidden, object) && forbidden[object].includes(member.text);
  return used ? `${object}.${member.text}` : undefined;
}

function nameOf(expression) {
  return expression.getText().replace(/^globalThis\./, "");
}
