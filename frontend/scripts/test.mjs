// Runs src/**/*.test.ts with Node's own runner: bundled first, because the Node versions we support cannot all read TypeScript.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("../src", import.meta.url));
const tests = readdirSync(root, { recursive: true }).filter((file) => file.endsWith(".test.ts"));
const out = mkdtempSync(join(tmpdir(), "dce-panel-"));
try {
  const input = Object.fromEntries(tests.map((file) => [file.replaceAll(/\W/g, "_"), join(root, file)]));
  const bundle = await rolldown({ input, platform: "node" });
  const { output } = await bundle.write({
    dir: out,
    format: "esm",
    entryFileNames: "[name].mjs",
    chunkFileNames: "[hash].mjs",
  });
  const files = output.filter((chunk) => chunk.isEntry).map((chunk) => join(out, chunk.fileName));
  const { status } = spawnSync(process.execPath, ["--test", ...process.argv.slice(2), ...files], { stdio: "inherit" });
  process.exitCode = status ?? 1;
} finally {
  rmSync(out, { recursive: true });
}
