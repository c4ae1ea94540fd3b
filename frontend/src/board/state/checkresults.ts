// What check reports come to: outcomes, tests by kind, and responses side by side. Pure.

import type { CheckReport, CheckRun, ChecksCount, ChecksView, ResponseChecks } from "../../api/generated";

/** What the checks of a response come to. `anyway`: what fails would fail without the response too. */
export type Outcome = "pass" | "anyway" | "fail";

export function outcomeOf({ failed, new_failures: fresh, fails_anyway: anyway }: ChecksCount): Outcome {
  if (failed === 0 && fresh === 0) return "pass"; // tests may be missing although none fails
  return anyway && fresh === 0 ? "anyway" : "fail";
}

/** How one check ended. */
export type RunState = Outcome | "limit" | "not_run" | "cannot_start";

export function stateOf(run: CheckRun): RunState {
  if (run.state === "not_run" || run.state === "cannot_start") return run.state;
  if (run.state === "killed") return "limit";
  if (run.ok && run.new_failures === 0) return "pass";
  return run.fails_anyway && run.new_failures === 0 ? "anyway" : "fail";
}

/** Whether a check fails without any response too, and no test ran: what else the response breaks cannot be seen. */
export function tellsNothing(run: CheckRun): boolean {
  return stateOf(run) === "anyway" && (run.runner === "" || (run.stop === "broken" && run.passed === 0));
}

export type TestKind = "new" | "missing" | "anyway" | "flaky" | "gained";

/** Tests of one kind; `more`: how many further ones are known only by number. */
export interface TestGroup {
  readonly kind: TestKind;
  readonly names: ReadonlyArray<string>;
  readonly more: number;
}

const unnamed = (count: number, ...lists: ReadonlyArray<ReadonlyArray<string>>) =>
  Math.max(0, count - lists.reduce((sum, list) => sum + list.length, 0));

/** The tests of a run that a person wants to see by name, the most important kind first. `isBase`: the workspace without any response. */
export function testsOf(run: CheckRun, isBase = false): ReadonlyArray<TestGroup> {
  const known = new Set([...run.newly_failing, ...run.flaky]);
  const old = run.failures.filter((name) => !known.has(name));
  const rest = isBase || run.runner === "" ? 0 : unnamed(run.new_failures, run.newly_failing, run.missing);
  // If every failure has a name, what is new and has none is missing.
  const areNamed = run.failures.length >= run.failed;
  const groups: ReadonlyArray<TestGroup> = [
    { kind: "new", names: run.newly_failing, more: areNamed ? 0 : rest },
    { kind: "missing", names: run.missing, more: areNamed ? rest : 0 },
    { kind: "anyway", names: old, more: 0 },
    { kind: "flaky", names: run.flaky, more: 0 },
    { kind: "gained", names: run.newly_passing, more: unnamed(run.gained, run.newly_passing) },
  ];
  return groups.filter(({ names, more }) => names.length + more > 0);
}

/** A test and how it ended on each response: `pass`, or "" where that is not known. */
export interface TestRow {
  readonly check: string;
  readonly name: string;
  readonly cells: ReadonlyMap<number, TestKind | "pass" | "">;
}

const WEIGHT: Readonly<Record<TestKind, number>> = { new: 1_000, missing: 100, gained: 10, flaky: 1, anyway: 0 };

/** The tests that tell responses apart from the workspace, those that fail only with a response first; and the others, which fail anyway. */
export function testRowsOf(view: ChecksView): {
  readonly rows: ReadonlyArray<TestRow>;
  readonly anyway: ReadonlyArray<string>;
} {
  const found = new Map<string, { check: string; name: string; kinds: Map<number, TestKind> }>();
  for (const { slot, report } of view.responses) {
    for (const run of report?.runs ?? []) {
      for (const { kind, names } of testsOf(run)) {
        for (const name of names) {
          const key = `${run.name}\n${name}`;
          const row = found.get(key) ?? { check: run.name, name, kinds: new Map() };
          row.kinds.set(slot, kind);
          found.set(key, row);
        }
      }
    }
  }
  const all = [...found.values()];
  const isDifferent = (kinds: ReadonlyMap<number, TestKind>) => [...kinds.values()].some((kind) => kind !== "anyway");
  const weight = (kinds: ReadonlyMap<number, TestKind>) =>
    [...kinds.values()].reduce((sum, kind) => sum + WEIGHT[kind], 0);
  const rows = all
    .filter(({ kinds }) => isDifferent(kinds))
    .toSorted((a, b) => weight(b.kinds) - weight(a.kinds) || a.name.localeCompare(b.name))
    .map(({ check, name, kinds }) => ({
      check,
      name,
      cells: new Map(
        view.responses.map(({ slot, report }) => [slot, kinds.get(slot) ?? restOf(report, check)] as const),
      ),
    }));
  return { rows, anyway: all.filter(({ kinds }) => !isDifferent(kinds)).map(({ name }) => name) };
}

/** How a test ended that no list names: it passed, unless the run did not get to all its tests. */
function restOf(report: CheckReport | null, check: string): "pass" | "" {
  const run = report?.runs.find(({ name }) => name === check);
  return run?.state === "ran" && run.stop === "" ? "pass" : "";
}

/** What no check of this generation's reports could start, each said once. */
export const cannotStart = (view: ChecksView): ReadonlyArray<string> => [
  ...new Set(view.responses.flatMap(({ report }) => report?.cannot_start ?? [])),
];

/** Why there is no verdict, and on which slots. */
export function problemsOf(view: ChecksView): ReadonlyMap<string, ReadonlyArray<number>> {
  const found = new Map<string, number[]>();
  for (const { slot, report } of view.responses) {
    if (report?.problem) found.set(report.problem, [...(found.get(report.problem) ?? []), slot]);
  }
  return found;
}

/** Slots whose verdict is stale, by what has changed. */
export function staleOf(view: ChecksView): ReadonlyMap<Exclude<ResponseChecks["stale"], "">, ReadonlyArray<number>> {
  const found = new Map<Exclude<ResponseChecks["stale"], "">, number[]>();
  for (const { slot, stale } of view.responses) if (stale !== "") found.set(stale, [...(found.get(stale) ?? []), slot]);
  return found;
}
