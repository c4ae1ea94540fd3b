// Fails if a component says something in words of its own: every text of the page stands in the messages of its area.
//
// Looked at are the texts between tags, string literals and templates shown by an expression between tags, the attributes that
// people see or hear, and the fields of notices.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseSync } from "rolldown/experimental";

const ROOT = fileURLToPath(new URL("../src", import.meta.url));
const SHOWN = new Set([
  "aria-label",
  "aria-description",
  "aria-roledescription",
  "aria-valuetext",
  "title",
  "placeholder",
  "alt",
  "label",
]);
const FIELDS = new Set(["text", "hint", "message"]);
const WORD = /\p{L}{2}/u;
const problems = [];

/** The literals that an expression may come to: itself, the branches of a choice, the right side of `&&`. */
function* literals(node) {
  if (node?.type === "Literal" && typeof node.value === "string") yield [node, node.value];
  if (node?.type === "TemplateLiteral") yield [node, node.quasis.map((quasi) => quasi.value.cooked).join("")];
  if (node?.type === "ConditionalExpression") yield* [...literals(node.consequent), ...literals(node.alternate)];
  if (node?.type === "LogicalExpression") yield* [...literals(node.left), ...literals(node.right)];
  if (node?.type === "JSXExpressionContainer") yield* literals(node.expression);
}

function check(file, source, node) {
  const tell = (at, words) => {
    const line = source.slice(0, at.start).split("\n").length;
    problems.push(
      `src/${file}:${line}: ${JSON.stringify(words.trim().slice(0, 60))} belongs into the messages of its area`,
    );
  };
  const tellWords = (part) => {
    for (const [at, words] of literals(part)) if (WORD.test(words)) tell(at, words);
  };
  if (node.type === "JSXText" && WORD.test(node.value)) tell(node, node.value);
  if (node.type === "JSXElement" || node.type === "JSXFragment") {
    for (const child of node.children) if (child.type === "JSXExpressionContainer") tellWords(child);
  }
  if (node.type === "JSXAttribute" && SHOWN.has(node.name.name)) tellWords(node.value);
  if (node.type === "Property" && FIELDS.has(node.key.name)) tellWords(node.value);
}

function walk(value, visit) {
  if (Array.isArray(value)) for (const part of value) walk(part, visit);
  else if (value !== null && typeof value === "object") {
    if (typeof value.type === "string") visit(value);
    for (const part of Object.values(value)) walk(part, visit);
  }
}

for (const file of readdirSync(ROOT, { recursive: true })) {
  if (!/\.tsx?$/.test(file) || /\.test\.|^testing\/|\/messages\//.test(file) || file === "api/generated.ts") continue;
  const source = readFileSync(`${ROOT}/${file}`, "utf8");
  const { program } = parseSync(file, source, { range: false });
  walk(program, (node) => check(file, source, node));
}
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
