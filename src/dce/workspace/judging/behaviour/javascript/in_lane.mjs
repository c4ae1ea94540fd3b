// The script that runs probes in the project's own node, inside a lane. It imports nothing but what lies beside it and node's own modules.
//
// It is given two paths: of a JSON job, and of the file to which it writes one JSON line for each probe. Probes run in child processes;
// a child runs as many of them as the job says, and after one that ends it or takes too long, a new child goes on with the next.
// What is recorded does not depend on the time or on the name of the temporary folder. Node 18 or later; TypeScript and other syntax
// that node does not read itself needs node 20.6 (`loading.mjs`).

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import module, { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { fails, mock, Quiet, seen, slow, spy } from "./provided.mjs";

const MAX_ITEMS = 1000;
const MAX_DEPTH = 12;
const MAX_TEXT = 4000;
const MAX_RESULT = 200_000;
const MEMORY_MB = 1024;
const IMPORT_FACTOR = 10; // importing a project may take so many times as long as a probe
const ROOT = process.cwd();

const digest = (text) => createHash("sha256").update(text).digest("hex").slice(0, 12);
const cut = (text) =>
  text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}… (${text.length} characters, ${digest(text)})`;

// ---- describing values ------------------------------------------------------------------------------------------------------------

/** Describes values as text: equal values alike, whatever the order of their keys. */
class Describer {
  constructor(folder) {
    this.folder = folder;
    this.open = new Set();
  }

  text(value, depth = 0, isOutside = false) {
    const simple = this.simple(value);
    if (simple !== undefined) return simple;
    if (depth > MAX_DEPTH) return "…";
    if (this.open.has(value)) return "<itself>";
    this.open.add(value);
    try {
      return this.object(value, depth + 1, isOutside);
    } catch (error) {
      return `<an object that throws ${nameOf(error)}>`;
    } finally {
      this.open.delete(value);
    }
  }

  plain(text) {
    return this.folder ? text.replaceAll(this.folder, "<tmp>") : text;
  }

  simple(value) {
    switch (typeof value) {
      case "string":
        return cut(JSON.stringify(this.plain(value)));
      case "number":
        if (Object.is(value, -0)) return "-0";
        return Number.isInteger(value) || !Number.isFinite(value) ? String(value) : String(Number(value.toPrecision(9)));
      case "bigint":
        return cut(`${value}n`);
      case "symbol":
        return String(value);
      case "function":
        return describeFunction(value, this);
      case "object":
        return value === null ? "null" : undefined;
      default:
        return String(value);
    }
  }

  object(value, depth, isOutside) {
    const name = className(value);
    if (Array.isArray(value)) return `${name === "Array" ? "" : name}[${this.items(value, depth)}]`;
    if (value instanceof Map) return `${name}{${this.entries(value, depth)}}`;
    if (value instanceof Set) return `${name}{${this.items(value, depth, true)}}`;
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Date(invalid)" : `Date(${value.toISOString()})`;
    if (value instanceof RegExp) return String(value);
    if (value instanceof Error) return `${nameOf(value)}()`;
    if (value instanceof Promise) return "<promise>";
    if (value instanceof URL || value instanceof URLSearchParams) return `${name}(${JSON.stringify(String(value))})`;
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return `${name}[${this.items(value, depth)}]`;
    if (value instanceof ArrayBuffer) return `ArrayBuffer[${this.items(new Uint8Array(value), depth)}]`;
    if (value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef) return `<${name}>`;
    if (value instanceof Number || value instanceof String || value instanceof Boolean) {
      return `${name}(${this.simple(value.valueOf())})`;
    }
    if (name === "Object") return `{${this.fields(value, Object.keys(value), depth)}}`;
    if (typeof value.next === "function" && typeof value[Symbol.iterator] === "function") {
      return `iterator(${this.items(value, depth)})`;
    }
    return this.instance(value, name, depth, isOutside);
  }

  /** An object of a class, by its public fields and getters. Private ones are how an answer does it, not what it does; and of an
   * object that the test only holds (`isOutside`), so are its fields. */
  instance(value, name, depth, isOutside) {
    if (typeof value.toJSON === "function") return `${name}(${this.text(value.toJSON(), depth)})`;
    const prototype = Object.getPrototypeOf(value);
    const getters = Object.entries(Object.getOwnPropertyDescriptors(prototype))
      .filter(([key, one]) => one.get && !key.startsWith("_") && key !== "__proto__")
      .map(([key]) => key);
    const own = isOutside ? [] : Object.keys(value).filter((key) => !key.startsWith("_"));
    const names = [...new Set([...getters, ...own])];
    if (!names.length && typeof value[Symbol.iterator] === "function") return `${name}(${this.items(value, depth)})`;
    return `${name}{${this.fields(value, names, depth)}}`;
  }

  fields(value, names, depth) {
    const shown = names.slice(0, MAX_ITEMS).map((name) => `${JSON.stringify(name)}: ${this.field(value, name, depth)}`);
    for (const symbol of Object.getOwnPropertySymbols(value)) {
      if (Object.prototype.propertyIsEnumerable.call(value, symbol)) shown.push(`${String(symbol)}: ${this.field(value, symbol, depth)}`);
    }
    return shown.sort().join(", "); // equality ignores the order; a test that looks at it makes an array, which is recorded as such
  }

  field(value, name, depth) {
    try {
      return this.text(value[name], depth);
    } catch (error) {
      return `<throws ${nameOf(error)}>`;
    }
  }

  items(values, depth, isSorted = false) {
    const out = [];
    if (Array.isArray(values)) {
      for (let at = 0; at < Math.min(values.length, MAX_ITEMS); at += 1) {
        out.push(at in values ? this.text(values[at], depth) : "<empty>");
      }
      if (values.length > MAX_ITEMS) out.push(`… ${values.length}`);
      for (const key of Object.keys(values).slice(values.length > MAX_ITEMS ? values.length : out.length)) {
        if (!/^\d+$/.test(key)) out.push(`${JSON.stringify(key)}: ${this.text(values[key], depth)}`);
      }
    } else {
      for (const value of values) {
        if (out.length >= MAX_ITEMS) {
          out.push("…");
          break;
        }
        out.push(this.text(value, depth));
      }
    }
    return (isSorted ? out.sort() : out).join(", ");
  }

  entries(map, depth) {
    const pairs = [...map].slice(0, MAX_ITEMS).map(([key, held]) => `${this.text(key, depth)} => ${this.text(held, depth)}`);
    return pairs.sort().join(", ");
  }
}

function describeFunction(value, describer) {
  if (Array.isArray(value.mock?.calls)) return `<mock ${describer.text(value.mock.calls.map((one) => one.arguments ?? one), 1)}>`;
  const isClass = /^class\b/.test(Function.prototype.toString.call(value));
  const fields = Object.keys(value);
  const held = fields.length ? ` {${describer.fields(value, fields, 2)}}` : "";
  return isClass ? `<class ${value.name}>` : `<function${held}>`;
}

/** The name of the nearest class of an object. A class without a name, and no class at all, count as plain objects. */
function className(value) {
  for (let at = Object.getPrototypeOf(value); at; at = Object.getPrototypeOf(at)) {
    const name = Object.getOwnPropertyDescriptor(at, "constructor")?.value?.name;
    if (name) return name;
  }
  return "Object";
}

/** The kind of what was thrown. Messages are worded differently. */
function nameOf(error) {
  if (error instanceof Error) return String(error.name || className(error));
  return error !== null && typeof error === "object" ? className(error) : `a ${error === null ? "null" : typeof error}`;
}

// ---- what one probe shows ---------------------------------------------------------------------------------------------------------

class Leaving extends Error {}

/** What one probe showed, in the order in which it happened, and what it still waits for. */
class Recorder {
  constructor(describer, limitMs) {
    this.seen = [];
    this.describer = describer;
    this.limitMs = limitMs;
    this.waiting = [];
    this.dones = [];
    this.quiet = new Quiet();
    this.settling = null; // a promise, while something else waits
  }

  /** Records a value and hands it on. A promise is followed: what it becomes takes its place. */
  record(value) {
    const at = this.seen.push(["value", ""]) - 1;
    if (typeof value?.then === "function") {
      this.seen[at] = ["value", "<pending>"];
      this.follow(value, at);
    } else if (typeof value?.[Symbol.asyncIterator] === "function" && typeof value.next === "function") {
      this.follow(drained(value), at);
    } else {
      this.seen[at] = ["value", this.describer.text(value)];
    }
    return value;
  }

  follow(promise, at) {
    this.waiting.push(
      Promise.resolve(promise).then(
        (value) => (this.seen[at] = ["value", `promise ${this.describer.text(value)}`]),
        (error) => (this.seen[at] = ["raised", `rejects ${nameOf(error)}`]),
      ),
    );
  }

  threw(error) {
    this.seen.push(["raised", error instanceof Leaving ? "process.exit" : nameOf(error)]);
  }

  /** The probe itself waits for what never comes. */
  never() {
    this.seen.push(["raised", "never settles"]);
  }

  /** Runs a function now, and waits for it before the next step; what it throws is recorded. */
  later(run, ...words) {
    this.waiting.push((async () => run(...words))().catch((error) => this.threw(error)));
  }

  /** Calls what an assertion was given to call; a promise is handed on. */
  call(value) {
    return typeof value === "function" ? value() : value;
  }

  /** Waits for what was begun, but not for what never ends. */
  async settle() {
    while (this.waiting.length) {
      this.settling = this.quiet.ended(Promise.allSettled(this.waiting.splice(0)), this.limitMs);
      await this.settling;
      this.settling = null;
      if (this.quiet.isLate) this.limitMs = 0;
    }
  }
}

async function drained(values) {
  const out = [];
  for await (const value of values) if (out.push(value) >= MAX_ITEMS) break;
  return out;
}

const AsyncFunction = (async () => {}).constructor;
const VARIABLE = /^var ([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*=/u;

/** The program of a probe: header lines as they stand; then steps, each of which may throw without ending the rest. */
function programOf(probe) {
  const names = new Set(probe.steps.map((step) => VARIABLE.exec(step)?.[1]).filter(Boolean));
  const lines = ['"use strict";', ...probe.header, "__ready__();"];
  for (const step of probe.steps) {
    const wait = step.startsWith("/* at once */") ? "" : "await __settle__();";
    lines.push(`try {\n${step}\n} catch (error) { __threw__(error); }\n${wait}`);
  }
  lines.push(`return [${[...names].map((name) => `[${JSON.stringify(name)}, ${name}]`).join(", ")}];`);
  return new AsyncFunction(...GIVEN, lines.join("\n"));
}

const GIVEN = [
  ...["__at__", "__import__", "__load__", "__default__", "__names__", "__ready__", "__record__", "__call__", "__later__"],
  ...["__seen__", "__slow__", "__fails__", "__settle__", "__threw__", "__done__", "__meta__", "__t__", "require", "__filename", "__dirname", "vi", "jest"],
];

/** Runs one probe in this process and returns what it showed. */
async function runProbe(probe, limitMs) {
  const folder = probe.steps.some((step) => step.includes("tmpdir")) ? fs.mkdtempSync(path.join(os.tmpdir(), "probe-")) : "";
  const recorder = new Recorder(new Describer(folder && fs.realpathSync(folder)), limitMs);
  const before = { ...process.env };
  if (folder) process.env.TMPDIR = folder;
  const output = [];
  const restore = captured(output);
  current = recorder;
  seedRandom(1);
  let began = process.cpuUsage();
  let isReady = false;
  let after = [];
  try {
    let ready;
    const imported = new Promise((resolve) => {
      ready = () => resolve(([isReady, began] = [true, process.cpuUsage()]));
    });
    const ended = programOf(probe)(...given(probe, recorder, ready)).then((names) => (after = names));
    if (!(await recorder.quiet.ended(ended, Infinity, () => (isReady ? recorder.settling : imported)))) recorder.never();
    else await ended;
  } catch (error) {
    recorder.threw(error);
  }
  recorder.waiting.push(...recorder.dones);
  await recorder.settle();
  const used = process.cpuUsage(began);
  restore();
  current = null;
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
  Object.assign(process.env, before);
  const result = {
    id: probe.id,
    seen: recorder.seen,
    after: after
      .filter(([, value]) => typeof value !== "function")
      .map(([name, value]) => `${name} = ${recorder.describer.text(value, 0, true)}`)
      .sort(),
    stdout: recorder.describer.plain(output.join("").slice(0, MAX_TEXT)),
    files: folder ? filesIn(folder) : [],
    cpu_s: Math.round((used.user + used.system) / 100) / 10_000,
  };
  if (folder) fs.rmSync(folder, { recursive: true, force: true });
  return result;
}

/** The values of GIVEN: how a probe imports, and what it tells. */
function given(probe, recorder, ready) {
  const [, at = ""] = /^__at__\((.*)\);$/.exec(probe.header[0] ?? "") ?? [];
  const file = path.join(ROOT, at ? JSON.parse(at) : "probe.js");
  const mocks = { fn: mock, spyOn: spy };
  const values = {
    __at__: () => {},
    __import__: (name) => known(imported, file, name),
    __load__: (name) => known(loaded, file, name),
    __default__: (names) => ("default" in names ? names.default : names),
    __names__: withDefault,
    __ready__: ready,
    __record__: (value) => recorder.record(value),
    __call__: (value) => recorder.call(value),
    __later__: (...words) => recorder.later(...words),
    __seen__: (run) => seen(run, recorder),
    __slow__: slow,
    __fails__: fails,
    __settle__: () => recorder.settle(),
    __threw__: (error) => recorder.threw(error),
    __done__: () => {
      let done;
      recorder.dones.push(new Promise((resolve) => (done = resolve)));
      return (error) => done(error && recorder.threw(error));
    },
    __meta__: { url: pathToFileURL(file).href, filename: file, dirname: path.dirname(file) },
    __t__: { mock: { fn: mock, method: spy }, after() {}, teardown() {}, diagnostic() {}, context: {}, name: "" },
    require: createRequire(file),
    __filename: file,
    __dirname: path.dirname(file),
    vi: mocks,
    jest: mocks,
  };
  return GIVEN.map((name) => values[name]);
}

/** The names of a module, with those of its default where it has no such name: how transpilers treat CommonJS. */
function withDefault(names) {
  const fallback = names.default;
  if (fallback === null || !["object", "function"].includes(typeof fallback)) return names;
  return new Proxy(names, { get: (target, key) => (key in target ? target[key] : fallback[key]), has: () => true });
}

const knownModules = new Map();

/** What a module gives, asked for once in a process: node keeps modules too, but finding one again crosses a thread where hooks are. */
function known(find, file, name) {
  const key = `${find.name} ${file} ${name}`;
  if (!knownModules.has(key)) knownModules.set(key, find(file, name));
  return knownModules.get(key);
}

/** Imports what the file would. A package may be imported by its own name, as its README does. */
async function imported(file, name) {
  if (module.isBuiltin?.(name)) return import(name);
  const own = ownPath(file, name);
  if (own) return import(pathToFileURL(own).href);
  if (/^\.{0,2}\//.test(name) || name === "." || name === "..") return import(aimed(pathToFileURL(path.resolve(path.dirname(file), name)).href, name));
  try {
    return await import(pathToFileURL(createRequire(file).resolve(name)).href);
  } catch (error) {
    if (error?.code !== "MODULE_NOT_FOUND" && error?.code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw error;
    return import(name);
  }
}

/** A folder is not imported but its index, or what its package.json says. */
function aimed(url, name) {
  try {
    const found = createRequire(import.meta.url).resolve(fileURLToPath(url));
    return pathToFileURL(found).href;
  } catch {
    return url; // the hooks of `loading.mjs` know more endings
  }
}

/** Requires what the file would; modules that can only be imported are imported. */
async function loaded(file, name) {
  try {
    return createRequire(file)(ownPath(file, name) || name);
  } catch (error) {
    if (error?.code !== "ERR_REQUIRE_ESM" && error?.code !== "ERR_REQUIRE_ASYNC_MODULE" && error?.name !== "SyntaxError" && error?.code !== "MODULE_NOT_FOUND") throw error;
    try {
      return withDefault(await imported(file, name));
    } catch {
      throw error;
    }
  }
}

/** Where a package's own name leads, if the file is in that package; "" otherwise. */
function ownPath(file, name) {
  for (let at = path.dirname(file); at.startsWith(ROOT); at = path.dirname(at)) {
    const found = path.join(at, "package.json");
    if (fs.existsSync(found)) {
      const own = JSON.parse(fs.readFileSync(found, "utf8"));
      if (!own.name || (name !== own.name && !name.startsWith(`${own.name}/`))) return "";
      try {
        return createRequire(file).resolve(name);
      } catch {
        const rest = name.slice(own.name.length);
        const entry = rest ? `.${rest}` : (own.source ?? own.module ?? own.main ?? "index.js");
        return path.resolve(at, entry);
      }
    }
    if (at === path.dirname(at)) break;
  }
  return "";
}

/** Files that the probe left in its temporary folder: name and digest. Names that `mkdtemp` made up are left out. */
function filesIn(folder) {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => path.join(one.parentPath ?? one.path, one.name))
    .slice(0, MAX_ITEMS)
    .map((file) => [path.relative(folder, file).replace(/^([^/]*-)?\w{6}\//, "$1*/"), digest(fs.readFileSync(file))])
    .sort();
}

function captured(output) {
  const streams = [process.stdout, process.stderr];
  const writes = streams.map((stream) => stream.write);
  process.stdout.write = (chunk, ...rest) => {
    output.push(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString());
    rest.find((one) => typeof one === "function")?.();
    return true;
  };
  process.stderr.write = (chunk, ...rest) => (rest.find((one) => typeof one === "function")?.(), true);
  return () => streams.forEach((stream, at) => (stream.write = writes[at]));
}

/** Random numbers that are the same in every run (mulberry32). */
function seedRandom(seed) {
  let state = seed;
  Math.random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

// ---- processes --------------------------------------------------------------------------------------------------------------------

let current = null; // the recorder of the probe that runs, for what is thrown outside it

/** Runs probes and writes each result to descriptor 3 at once. */
async function child(job, from, to) {
  const leave = process.reallyExit.bind(process);
  const write = writerTo(3);
  process.exit = () => {
    throw new Leaving();
  };
  process.on("uncaughtException", (error) => current?.threw(error));
  process.on("unhandledRejection", () => {});
  setInterval(() => {}, 1000); // a promise that never settles must not end the process
  await (await import(new URL("loading.mjs", import.meta.url).href)).install(ROOT);
  const probes = job.probes.slice(from, to);
  await importEarly(probes);
  write({ ready: true });
  for (const probe of probes) {
    const result = await runProbe(probe, job.probe_s * 800);
    const line = JSON.stringify(result);
    write(line.length > MAX_RESULT ? { id: probe.id, digest: digest(line) } : result);
  }
  leave(0);
}

/** Imports once what probes import; a failure is ignored here, because each probe meets it again. */
async function importEarly(probes) {
  const headers = new Map(probes.map((probe) => [probe.header.join("\n"), probe]));
  for (const probe of headers.values()) await runProbe({ id: "", header: probe.header, steps: [] }, 1);
}

function writerTo(descriptor) {
  return (value) => {
    let rest = Buffer.from(`${JSON.stringify(value)}\n`);
    while (rest.length) {
      try {
        rest = rest.subarray(fs.writeSync(descriptor, rest));
      } catch (error) {
        if (error.code !== "EAGAIN") throw error;
      }
    }
  };
}

/** Runs probes in one child; ends with the first that takes too long or ends the child. At least one result comes back. */
function resultsOf(job, jobPath, from, to) {
  return new Promise((resolve) => {
    const results = [];
    let kind = "died";
    let rest = "";
    const words = [`--max-old-space-size=${MEMORY_MB}`, "--no-warnings", fileURLToPath(import.meta.url), jobPath, "", from, to];
    const started = spawn(process.execPath, words.map(String), { stdio: ["ignore", "ignore", "ignore", "pipe"], detached: true });
    const stop = () => {
      kind = "timeout";
      kill(started.pid);
    };
    let timer = setTimeout(stop, job.probe_s * 1000 * IMPORT_FACTOR);
    started.stdio[3].setEncoding("utf8").on("data", (chunk) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        const read = readLine(line);
        if (read?.id) results.push(read);
        clearTimeout(timer);
        timer = setTimeout(stop, job.probe_s * 1000);
      }
    });
    started.on("error", () => {});
    started.on("close", () => {
      clearTimeout(timer);
      kill(started.pid);
      if (results.length < to - from) results.push({ id: job.probes[from + results.length].id, kind });
      resolve(results);
    });
  });
}

function readLine(line) {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function kill(pid) {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, "SIGKILL");
    } catch {
      // it has ended
    }
  }
}

async function main(jobPath, outPath) {
  const job = JSON.parse(fs.readFileSync(jobPath, "utf8"));
  const out = fs.openSync(outPath, "w");
  const endsAt = Date.now() + job.total_s * 1000;
  let slow = 0;
  for (let done = 0; done < job.probes.length; ) {
    const isOver = slow >= job.max_timeouts || Date.now() > endsAt;
    const results = isOver
      ? job.probes.slice(done).map(({ id }) => ({ id, kind: "not run" }))
      : await resultsOf(job, jobPath, done, Math.min(done + job.batch, job.probes.length));
    done += results.length;
    slow += results.at(-1).kind === "timeout" ? 1 : 0;
    fs.writeSync(out, results.map((result) => `${JSON.stringify(result)}\n`).join(""));
  }
}

/** Says why probes cannot run here, and nothing if they can. */
async function check(isTyped) {
  const [major] = process.versions.node.split(".").map(Number);
  const { whyNoTypeScript } = await import(new URL("loading.mjs", import.meta.url).href);
  const why = major < 18 ? `node ${process.versions.node} is older than 18` : isTyped ? whyNoTypeScript(ROOT) : "";
  process.stdout.write(why);
}

const [, , jobPath, outPath, from, to] = process.argv;
if (jobPath === "--check") await check(outPath === "typed");
else if (outPath) await main(jobPath, outPath);
else await child(JSON.parse(fs.readFileSync(jobPath, "utf8")), Number(from), Number(to));
