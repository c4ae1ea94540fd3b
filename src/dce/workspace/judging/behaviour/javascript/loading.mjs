// What node does not load by itself but the project's own tests do: TypeScript, JSX, imports without an ending, ES modules in files
// that node takes for CommonJS, path aliases. Used inside a lane by `in_lane.mjs`; it needs node 20.6, and without it nothing is hooked.
//
// TypeScript is read by node itself where it can, otherwise by what the project has: esbuild, typescript, rolldown,
// oxc-transform, @swc/core, sucrase.

import fs from "node:fs";
import module, { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const ENDINGS = [".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs", ".cjs", ".cts", ".json"];
const WRITTEN_FOR = { ".js": [".ts", ".tsx", ".jsx"], ".mjs": [".mts"], ".cjs": [".cts"], ".jsx": [".tsx"] };
const TRANSLATED = /\.(?:[mc]?ts|tsx|jsx)$/;
const NOT_CODE = /\.(?:css|scss|sass|less|svg|png|jpe?g|gif|webp|woff2?)$/;
const IS_MODULE = /^\s*(?:import\s*(?:[\w*{"'$]|type\b)|export\s+(?:default|const|let|var|function|class|async|type|interface|enum|abstract|\{|\*)|export\s*[{*])/m;

let root = process.cwd();

/** Puts the hooks in place, for `import` and for `require`. */
export async function install(workspace) {
  root = workspace;
  if (typeof module.register !== "function") return;
  module.register(import.meta.url, { data: { root } });
  for (const ending of [".ts", ".tsx", ".cts", ".jsx"]) {
    module._extensions[ending] = (target, file) => target._compile(translated(fs.readFileSync(file, "utf8"), file, "cjs"), file);
  }
}

/** Called in the thread of the hooks. */
export async function initialize(data) {
  root = data.root;
}

export async function resolve(name, context, next) {
  try {
    return await next(name, context);
  } catch (error) {
    for (const url of others(name, context.parentURL)) {
      const found = existing(url);
      if (found) return next(found, context);
    }
    throw error;
  }
}

export async function load(url, context, next) {
  const file = url.startsWith("file:") ? fileURLToPath(url) : "";
  if (!file || file.includes(`${path.sep}node_modules${path.sep}`)) return next(url, context);
  if (NOT_CODE.test(file)) return { format: "module", source: "export default {};", shortCircuit: true };
  if (file.endsWith(".json") && context.importAttributes?.type !== "json") {
    return { format: "module", source: `export default ${fs.readFileSync(file, "utf8")}`, shortCircuit: true };
  }
  const isTranslated = TRANSLATED.test(file);
  if (!isTranslated && !file.endsWith(".js")) return next(url, context);
  const source = fs.readFileSync(file, "utf8");
  const isModule = IS_MODULE.test(source) && !file.endsWith(".cts");
  if (isTranslated) {
    const format = isModule || file.endsWith(".mts") ? "module" : "commonjs";
    return { format, source: translated(source, file, format === "module" ? "esm" : "cjs"), shortCircuit: true };
  }
  if (!isModule) return next(url, context);
  return { format: "module", source: /<\/?[A-Z>]|<[a-z]+[\s>]/.test(source) ? perhapsTranslated(source, file) : source, shortCircuit: true };
}

/** Other places where a name that node does not find may lead. */
function* others(name, parent) {
  if (/^(?:\.{0,2}\/|\.{1,2}$|file:)/.test(name)) {
    yield new URL(name, parent);
    return;
  }
  for (const [pattern, targets, base] of aliases()) {
    const [before, after = ""] = pattern.split("*");
    const isMatch = pattern.includes("*") ? name.startsWith(before) && name.endsWith(after) : name === pattern;
    if (!isMatch) continue;
    const middle = name.slice(before.length, name.length - after.length || undefined);
    for (const target of targets) yield pathToFileURL(path.resolve(base, target.replace("*", middle)));
  }
  for (const base of ["src", "."]) yield pathToFileURL(path.resolve(root, base, name.replace(/^[@~]\//, "")));
}

let knownAliases;

/** `paths` of tsconfig.json or jsconfig.json. */
function aliases() {
  if (knownAliases) return knownAliases;
  knownAliases = [];
  for (const name of ["tsconfig.json", "jsconfig.json"]) {
    try {
      const text = fs.readFileSync(path.join(root, name), "utf8");
      const plain = text.replace(/("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "$1").replace(/,(\s*[}\]])/g, "$1");
      const { paths = {}, baseUrl = "." } = JSON.parse(plain).compilerOptions ?? {};
      for (const [pattern, targets] of Object.entries(paths)) knownAliases.push([pattern, targets, path.resolve(root, baseUrl)]);
    } catch {
      // there is none, or it is not for us to judge
    }
  }
  return knownAliases;
}

function existing(url) {
  const file = fileURLToPath(url);
  const ending = path.extname(file);
  const written = (WRITTEN_FOR[ending] ?? []).map((one) => file.slice(0, -ending.length) + one);
  const choices = [file, ...written, ...ENDINGS.map((one) => file + one), ...ENDINGS.map((one) => path.join(file, `index${one}`))];
  const found = choices.find((one) => fs.statSync(one, { throwIfNoEntry: false })?.isFile());
  return found && pathToFileURL(found).href;
}

function perhapsTranslated(source, file) {
  try {
    return translated(source, file, "esm");
  } catch {
    return source;
  }
}

/** JavaScript of a source in TypeScript or with JSX. `form`: "esm" or "cjs". Throws if nothing here can read it. */
function translated(source, file, form) {
  const isStripped = /\.[mc]?ts$/.test(file) && typeof module.stripTypeScriptTypes === "function";
  if (isStripped && (form === "esm" || !IS_MODULE.test(source))) {
    try {
      return module.stripTypeScriptTypes(source);
    } catch (error) {
      if (!translator()) throw error; // syntax with a meaning of its own, such as an enum
    }
  }
  const translate = translator();
  if (!translate) throw new Error(`${path.basename(file)} cannot be read: ${MISSING}`);
  return translate(source, file, form);
}

const MISSING = `node ${process.versions.node} does not read it, and the project has none of esbuild, typescript, rolldown, oxc-transform, @swc/core and sucrase`;

const TRANSLATORS = {
  esbuild: (it) => (source, file, form) =>
    it.transformSync(source, { loader: loaderOf(file), format: form, target: "es2022", jsx: "automatic", sourcefile: file }).code,
  typescript: (it) => it.transpileModule && ((source, file, form) =>
    it.transpileModule(source, {
      fileName: file,
      compilerOptions: {
        module: form === "esm" ? it.ModuleKind.ESNext : it.ModuleKind.CommonJS,
        target: it.ScriptTarget.ES2022,
        jsx: it.JsxEmit.ReactJSX,
        esModuleInterop: true,
        experimentalDecorators: true,
        verbatimModuleSyntax: false,
      },
    }).outputText),
  "@swc/core": (it) => (source, file, form) =>
    it.transformSync(source, {
      filename: file,
      swcrc: false,
      module: { type: form === "esm" ? "es6" : "commonjs" },
      jsc: { target: "es2022", parser: /\.jsx?$/.test(file) ? { syntax: "ecmascript", jsx: true } : { syntax: "typescript", tsx: file.endsWith("x") } },
    }).code,
  sucrase: (it) => (source, file, form) =>
    it.transform(source, {
      filePath: file,
      transforms: ["typescript", ...(file.endsWith("x") ? ["jsx"] : []), ...(form === "esm" ? [] : ["imports"])],
      jsxRuntime: "automatic",
      production: true,
    }).code,
  // These write ES modules only; what has no imports is the same in both forms.
  "rolldown/utils": (it) => it.transformSync && ((source, file) => checkedCode(it.transformSync(file, source, { lang: loaderOf(file) }))),
  "oxc-transform": (it) => it.transformSync && ((source, file) => checkedCode(it.transformSync(file, source, { lang: loaderOf(file) }))),
};

const checkedCode = ({ code, errors = [] }) => {
  if (errors.length) throw new SyntaxError(errors[0].message);
  return code;
};

const loaderOf = (file) => ({ ".tsx": "tsx", ".jsx": "jsx", ".js": "jsx" })[path.extname(file)] ?? "ts";

let knownTranslator;

/** The project's own translator, or one that its tools bring along; null if there is none. */
function translator() {
  if (knownTranslator !== undefined) return knownTranslator;
  knownTranslator = null;
  const here = createRequire(path.join(root, "package.json"));
  for (const [name, make] of Object.entries(TRANSLATORS)) {
    for (const bringer of ["", "tsx", "vite", "vitest", "tsup", "ts-node", "ts-jest"]) {
      try {
        const from = bringer ? createRequire(here.resolve(`${bringer}/package.json`)) : here;
        knownTranslator = make(from(name)) || null;
        if (knownTranslator) return knownTranslator;
      } catch {
        // not here
      }
    }
  }
  return knownTranslator;
}

/** Why TypeScript cannot be read here; "" if it can. */
export function whyNoTypeScript(workspace) {
  root = workspace;
  if (typeof module.register !== "function") return `node ${process.versions.node} is older than 20.6`;
  return typeof module.stripTypeScriptTypes === "function" || translator() ? "" : MISSING;
}
