// Randomness and time are arguments: src reads no global source of either.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { failures, report } from "../support.mjs";

const forbidden = { Math: ["random"], Date: null, crypto: ["getRandomValues", "randomUUID"] };

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

/** `Math.random`, `Math["random"]`, `Date.now`, `new Date()`, `Date()`; not their mention in comments and types. */
function globalUse(node) {
  if (ts.isNewExpression(node) || ts.isCallExpression(node)) {
    const name = node.expression.getText();
    return forbidden[name] === null ? `${name}(...)` : undefined;
  }
  if (!ts.isPropertyAccessExpression(node) && !ts.isElementAccessExpression(node)) return undefined;
  const object = node.expression.getText().replace(/^globalThis\./, "");
  if (!Object.hasOwn(forbidden, object)) return undefined;
  const member = ts.isPropertyAccessExpression(node)
    ? node.name.text
    : node.argumentExpression.getText().slice(1, -1);
  return forbidden[object] === null || forbidden[object].includes(member) ? `${object}.${member}` : undefined;
}
