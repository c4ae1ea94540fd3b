// The project's checks: their results, a run of them, and .dce/checks.toml.

import type { CheckRun, ChecksProgress, CommandsView, OwnTests, ResponseChecks } from "../../../api/generated";
import { plural } from "../../../text/plural";
import { number, seconds } from "../../../text/words";
import type { RunState, TestKind } from "../../state/checkresults";

type Stale = Exclude<ResponseChecks["stale"], "">;

const staleWhy: Readonly<Record<Stale, string>> = {
  checks: "The checks changed after they ran.",
  workspace: "The files or the installed packages changed after the checks ran.",
  answer: "The answer changed after the checks ran.",
  unknown:
    "The checks ran elsewhere or with an earlier version of DCE, or the workspace itself now passes other tests.",
};

const states: Readonly<Record<RunState, string>> = {
  pass: "passes",
  anyway: "fails without any response too",
  fail: "fails",
  limit: "killed at a limit",
  not_run: "not run",
  cannot_start: "cannot run here",
};

const kinds: Readonly<Record<TestKind, string>> = {
  new: "Fails only with this response",
  missing: "Missing: ran before, does not run now",
  anyway: "Fails without any response too",
  flaky: "Flaky: fails now and then",
  gained: "Gained: passes only with this response",
};

const cells: Readonly<Record<TestKind | "pass" | "", string>> = {
  new: "new failure",
  missing: "missing",
  anyway: "fails anyway",
  flaky: "flaky",
  gained: "gained",
  pass: "passes",
  "": "unknown",
};

const limits: Readonly<Record<CheckRun["limits"][number], string>> = {
  time: "time limit",
  memory: "memory limit",
  processes: "process limit",
  disk: "disk limit",
  output: "output limit",
};

export const checks = {
  run: "Run checks",
  stop: "Stop checks",
  again: "Run again",
  againAll: "Run all again",
  againTitle: "Even where nothing has changed, for instance after you installed something",
  open: "Edit checks…",
  setUp: "Set up checks…",
  openTitle: "The commands in .dce/checks.toml, and their results on the workspace as it is",
  agreeToCommands: ({ commands, probes, containment }: CommandsView) =>
    [
      commands.length > 0
        ? "Run these commands from .dce/checks.toml, also on code that a model wrote?"
        : "Run probes on code that a model wrote?",
      ...(commands.length > 0 ? [commands.join("\n")] : []),
      ...(probes
        ? [commands.length > 0 ? `Then, to compare how responses behave, DCE runs ${probes}.` : `They are ${probes}.`]
        : []),
      containment,
    ].join("\n\n"),
  beginning: "Running…",
  progress: ({ total, done, running, is_base: isBase }: ChecksProgress) =>
    isBase
      ? "Checking the workspace first…"
      : done >= total
        ? "Comparing behaviour…"
        : `${running.length} of ${total} running, ${done} done`,
  progressBar: ({ total, done }: ChecksProgress) => `${done} of ${plural(total, "response")} checked`,
  areRunning: "Checks are running.",
  slotRuns: "checks running…",

  staleWhy,
  staleSlots: (why: Stale, slots: ReadonlyArray<number>, all: number) =>
    `${slots.length === all ? "All verdicts are stale" : `${slots.length === 1 ? "The verdict" : "The verdicts"} on ${slots.join(", ")} ${slots.length === 1 ? "is" : "are"} stale`}. ${staleWhy[why]}`,
  staleOne: (why: Stale) => `This verdict is stale. ${staleWhy[why]}`,
  cannotStart: "Cannot run here, with or without a response:",
  cannotStartHere: (problem: string) => `cannot run here: ${problem}`,
  cannotStartHint: "Install what is missing, or correct the command. No response is blamed for it.",
  noVerdict: (problem: string) => `No verdict: ${problem}`,
  noneYet: "The checks have not run on these responses.",
  noneThere: "This workspace has no checks.",
  noneYetOne: "The checks have not run on this response.",
  noneFor: "A response without files is not checked.",
  noneActive: "The checks run once the response has ended.",
  check: "Check this response",
  noVerdictOn: (slots: ReadonlyArray<number>, problem: string) => `No verdict on ${slots.join(", ")}: ${problem}`,
  someCannotStart: (names: string) => `Cannot run here: ${names}`,
  show: "Show",

  overlay: "Ran in an overlay lane: the workspace copy-on-write, apart from your files, your home and other processes.",
  onCluster: (cluster: string, node: string) =>
    `Ran in an overlay lane on ${node || "a node"} of ${cluster}, apart from that machine's files and other processes.`,
  copy: (why: string) =>
    `Ran in a plain copy, not in a sandbox: the code could reach whatever you can. Why only a copy: ${why}`,

  states,
  stage: { quick: "quick", lint: "lint", test: "test" },
  stageTitle: "New failures in a stage keep the later stages from running",
  counts: ({ runner, passed, failed, skipped, ok, exit_code: code, state, note }: CheckRun) =>
    state === "not_run" || state === "cannot_start"
      ? note
      : runner === ""
        ? ok
          ? "passes"
          : code === null
            ? ""
            : `exit code ${code}`
        : [
            `${number(passed)} passed`,
            ...(failed > 0 ? [`${number(failed)} failed`] : []),
            ...(skipped > 0 ? [`${number(skipped)} skipped`] : []),
          ].join(", "),
  limits,
  failsAnyway: "fails without any response too",
  tellsNothing: "fails without any response too, and no test runs, so it cannot tell what this response breaks",
  kinds,
  kindsOfBase: { ...kinds, anyway: "Fails" } as Readonly<Record<TestKind, string>>,
  kindCount: (kind: string, count: number) => `${kind} (${number(count)})`,
  more: (count: number) => `${plural(count, "test")} not known by name`,
  showAll: (count: number) => `Show all ${number(count)}`,
  notReached: (count: number) => `${plural(count, "test")} not reached: the runner ends at the first failure.`,
  output: "Output",
  outputEnd: "End of the output",
  noOutput: "The command printed nothing.",
  expand: "Expand",
  collapse: "Collapse",

  exam: "Beyond the project’s checks",
  place: (path: string, line: number) => `${path}:${line}`,
  testChanges: "Changes to the tests",
  changeKinds: { added: "added", changed: "changed", weakened: "weakened" },
  own: ({ passed, failed, not_run: left, problem }: OwnTests) =>
    problem ||
    `The workspace’s own tests give the verdict. With the response’s version of them: ${number(passed)} passed, ${number(failed)} failed${left > 0 ? `; it leaves out ${plural(left, "test")}` : ""}.`,
  contradicted: (count: number) =>
    `${plural(count, "test")} ${count === 1 ? "fails" : "fail"} in the workspace’s version and ${count === 1 ? "passes" : "pass"} in the response’s`,
  ownGained: (count: number) =>
    `${plural(count, "test")} that ${count === 1 ? "fails" : "fail"} without the response ${count === 1 ? "passes" : "pass"} in its own version only`,
  ownFailures: (count: number) =>
    `${plural(count, "test")} ${count === 1 ? "fails" : "fail"} only in the response’s version`,

  byCheck: "Checks of each response",
  checkColumn: "Check",
  byTest: "Tests whose results differ from the workspace’s",
  test: "Test",
  base: "workspace",
  baseTitle: "The workspace as it is, without any response",
  cells,
  cellOf: (slot: number, state: string, counts: string) => `Response ${slot}: ${state}${counts ? ` (${counts})` : ""}`,
  baseCell: (state: string, counts: string) => `Without any response: ${state}${counts ? ` (${counts})` : ""}`,
  absent: "–",
  failsForAll: (count: number) => `${plural(count, "test")} ${count === 1 ? "fails" : "fail"} without any response too`,
  moreRows: (count: number) => `Show ${plural(count, "more test")}`,
  marks: { new: "✗", missing: "–", gained: "✓", flaky: "~", anyway: "(✗)", pass: "·", "": "" } as Readonly<
    Record<TestKind | "pass" | "", string>
  >,

  title: "Checks",
  none: "This workspace has no checks yet",
  noneNote:
    "A check is a command of your project, such as its tests. DCE runs the checks on every response and ranks the responses by the results.",
  found: "Proposed checks",
  leftOut: (names: ReadonlyArray<string>) => `Not proposed, because there are too many: ${names.join(", ")}.`,
  nothingFound: "No test runner that DCE knows is configured here. Write the command below.",
  use: "Use these checks",
  useNote: (path: string) => `Writes ${path}. You can edit it below first.`,
  tryThem: "Try them on the workspace",
  tryNote:
    "Runs the commands on the files as they are. Nothing is saved, and you are asked before they run for the first time.",
  fileLabel: "Text of .dce/checks.toml",
  fileNote:
    "Keys of a check: name, command, stage, cwd, timeout_s, report, env. The table [lane] sets what commands can reach and how much they may use.",
  save: "Save",
  discard: "Discard changes",
  savedNote: "Saved.",
  changedElsewhere:
    "The file changed while you were editing. Your text is kept here; saving is refused until you discard it or the file is as it was.",
  problem: (why: string) => `The file cannot be used: ${why}`,
  commands: "Commands",
  asItIs: "On the workspace as it is",
  asItIsNote: "What fails here is no response’s fault. Cheap checks run three times, which shows what is flaky.",
  runAsItIs: "Run on the workspace",
  runningAsItIs: "Running on the workspace…",
  notRunAsItIs: "Not run on the current files yet.",
  stopAsItIs: "Stop",
  timeout: (value: number) => `at most ${seconds(value)}`,
};
