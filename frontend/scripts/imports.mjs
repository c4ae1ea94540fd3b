// Fails if an import points the wrong way. Imports in a circle are oxlint's concern (`import/no-cycle`).
//
// A folder of src imports only from those before it in LAYERS. An area is reached through its index, which lists what it offers.
import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync } from "rolldown/experimental";

const ROOT = fileURLToPath(new URL("../src", import.meta.url));
const AREAS = ["settings", "context", "cycle", "accept", "board", "review", "history", "shell"];
/** Lowest first. `words` are the messages that each area keeps; `messages` puts them together. */
const LAYERS = ["generated", "text", "words", "messages", "api", "state", "kit", "testing", ...AREAS, "main.tsx"];
const problems = [];

function layerOf(file) {
  if (file.startsWith("api/generated")) return "generated";
  if (file.split("/")[1] === "messages") return "words";
  return file.split("/")[0];
}

/** Every import of a module: where it leads, and whether only for types. */
function* importsOf(node) {
  if (Array.isArray(node)) for (const part of node) yield* importsOf(part);
  if (node === null || typeof node !== "object" || Array.isArray(node)) return;
  const isDeclared = /^(Import|ExportNamed|ExportAll)Declaration$/.test(node.type) && node.source;
  if (isDeclared || node.type === "ImportExpression") {
    const names = node.specifiers ?? [];
    const areTypes = names.length > 0 && names.every((name) => (name.importKind ?? name.exportKind) === "type");
    yield { path: node.source.value, isType: (node.importKind ?? node.exportKind) === "type" || areTypes };
  }
  for (const part of Object.values(node)) yield* importsOf(part);
}

function problemOf(file, { path, isType }) {
  const target = posix.join(posix.dirname(file), path);
  const [from, to] = [layerOf(file), layerOf(target)];
  // Texts are written for each value of a type, wherever that is.
  const isWorded = isType && from === "words";
  if (!isWorded && LAYERS.indexOf(to) > LAYERS.indexOf(from))
    return `${from} comes before ${to} in scripts/imports.mjs`;
  if (LAYERS.indexOf(to) === -1) return `${to} has no place in scripts/imports.mjs`;
  if (AREAS.includes(to) && from !== to && from !== "words" && target !== to)
    return `import from "${to}" itself, which lists what it offers`;
  if (AREAS.includes(from) && from === to && target === to) return "inside an area, import from the module";
  if (to === "words" && !["words", "messages"].includes(from))
    return "the catalogue has every text: import from messages";
  return null;
}

for (const file of readdirSync(ROOT, { recursive: true })) {
  if (!/\.tsx?$/.test(file)) continue;
  const { program } = parseSync(file, readFileSync(`${ROOT}/${file}`, "utf8"), { range: false });
  for (const found of importsOf(program.body)) {
    if (!found.path.startsWith(".") || found.path.endsWith(".css")) continue;
    const problem = problemOf(file, found);
    if (problem !== null) problems.push(`src/${file}: "${found.path}": ${problem}`);
  }
}
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
