import { expect, test } from "vitest";
import type { CheckReport, CheckRun, ChecksView } from "../../api/generated";
import { runOf } from "../../testing/samples";
import { cannotStart, outcomeOf, staleOf, stateOf, tellsNothing, testRowsOf, testsOf } from "./checkresults";

const run = (change: Partial<CheckRun> = {}): CheckRun => runOf({ name: "tests", passed: 4, duration_s: 1, ...change });
const report = (...runs: CheckRun[]): CheckReport => ({
  passed: 0,
  failed: 0,
  new_failures: 0,
  runs,
  gained: 0,
  cannot_start: [],
  lane: "overlay",
  lane_why: "",
  on: "",
  node: "",
  problem: "",
  test_changes: [],
  own: null,
});
const view = (...reports: (CheckReport | null)[]): ChecksView => ({
  generation: 1,
  is_checking: false,
  progress: null,
  failure: null,
  base: null,
  responses: reports.map((each, index) => ({ slot: index + 1, version: 1, stale: "", report: each })),
});
const passed = { passed: 3, failed: 0, new_failures: 0, gained: 0, fails_anyway: false } as const;
const counts = { ...passed, flaky: [], stale: "", own: null, limits: [] } as const;

test("what fails anyway is neither a pass nor the response's failure", () => {
  expect(outcomeOf(counts)).toBe("pass");
  expect(outcomeOf({ ...counts, failed: 1, fails_anyway: true })).toBe("anyway");
  expect(outcomeOf({ ...counts, failed: 2, new_failures: 1 })).toBe("fail");
  expect(outcomeOf({ ...counts, new_failures: 1 }), "tests are missing").toBe("fail");
  expect(stateOf(run())).toBe("pass");
  expect(stateOf(run({ ok: false, failed: 1, fails_anyway: true }))).toBe("anyway");
  expect(stateOf(run({ new_failures: 2, missing: ["a", "b"] }))).toBe("fail");
  expect(stateOf(run({ ok: false, state: "killed", limits: ["memory"] }))).toBe("limit");
  expect(stateOf(run({ ok: false, state: "not_run" }))).toBe("not_run");
});

test("a command that fails anyway, of which no test ran, tells nothing", () => {
  const anyway = { ok: false, failed: 1, passed: 0, fails_anyway: true } as const;
  expect(tellsNothing(run({ ...anyway, runner: "" }))).toBe(true);
  expect(tellsNothing(run({ ...anyway, stop: "broken" }))).toBe(true);
  expect(tellsNothing(run({ ...anyway, passed: 2, stop: "broken" }))).toBe(false);
  expect(tellsNothing(run(anyway))).toBe(false);
  expect(tellsNothing(run({ runner: "" }))).toBe(false);
});

test("tests are told apart by kind, new failures first, each name once", () => {
  const found = testsOf(
    run({
      ok: false,
      failed: 4,
      failures: ["old", "new", "now and then", "old 2"],
      new_failures: 2,
      newly_failing: ["new"],
      missing: ["gone"],
      flaky: ["now and then"],
      gained: 3,
      newly_passing: ["fixed"],
    }),
  );
  expect(found.map(({ kind, names, more }) => [kind, names, more])).toStrictEqual([
    ["new", ["new"], 0],
    ["missing", ["gone"], 0],
    ["anyway", ["old", "old 2"], 0],
    ["flaky", ["now and then"], 0],
    ["gained", ["fixed"], 2],
  ]);
});

test("failures that have no names are counted, and a command without tests has none", () => {
  expect(testsOf(run({ ok: false, failed: 3, new_failures: 3, newly_failing: ["a"] }))).toStrictEqual([
    { kind: "new", names: ["a"], more: 2 },
  ]);
  expect(testsOf(run({ new_failures: 2 }))).toStrictEqual([{ kind: "missing", names: [], more: 2 }]);
  expect(testsOf(run({ ok: false, failed: 1, new_failures: 1, runner: "" }))).toStrictEqual([]);
  expect(testsOf(run({ ok: false, failed: 1, failures: ["a"], new_failures: 0 }), true)).toStrictEqual([
    { kind: "anyway", names: ["a"], more: 0 },
  ]);
});

test("the table shows what differs, the worst first; what fails for all stands apart", () => {
  const { rows, anyway } = testRowsOf(
    view(
      report(run({ failures: ["old"], newly_passing: ["fixed"], gained: 1 })),
      report(run({ failures: ["old", "fixed", "broken"], newly_failing: ["broken"], new_failures: 1 })),
      null,
      report(run({ failures: ["old"], stop: "early" })),
    ),
  );
  expect(anyway).toStrictEqual(["old"]);
  expect(rows.map(({ name, cells }) => [name, [...cells.values()]])).toStrictEqual([
    ["broken", ["pass", "new", "", ""]],
    ["fixed", ["gained", "anyway", "", ""]],
  ]);
});

test("what cannot start is said once, and stale verdicts stand together by what changed", () => {
  const missing = { ...report(run()), cannot_start: ["js: vitest: not found"] };
  const found = view(missing, missing, null);
  expect(cannotStart(found)).toStrictEqual(["js: vitest: not found"]);
  const [first, second, third] = found.responses;
  if (!first || !second || !third) throw new Error("three responses are made above");
  const stale = staleOf({
    ...found,
    responses: [{ ...first, stale: "checks" }, { ...second, stale: "checks" }, third],
  });
  expect([...stale]).toStrictEqual([["checks", [1, 2]]]);
});
