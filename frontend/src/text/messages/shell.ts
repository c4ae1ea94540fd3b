// The frame: top line, steps, keys, messages that belong to no one screen.

import type { Advice, Step } from "../../state/next";
import type { Connection } from "../../state/store";
import type { Theme } from "../../state/theme";

const connection: Readonly<Record<Connection, string>> = {
  connecting: "Connecting…",
  live: "Live",
  lost: "Reconnecting…",
  closed: "Disconnected",
};

const keys: ReadonlyArray<readonly [string, string]> = [
  ["Ctrl+Enter", "Generate, from a field of the cycle"],
  ["1 … 9, 0", "Response 1 … 9, 10"],
  ["b", "Board"],
  ["j, k", "Next or previous response"],
  ["p, d, l, r", "Answer (parsed), diff, pick (lines), raw text"],
  ["t", "Checks (tests) of the response, or of all on the board"],
  ["a", "Accept the selected files"],
  ["f", "Filter the files"],
  ["c", "Edit the cycle’s text"],
  ["[, ]", "Earlier or later cycle"],
  ["h, s", "History or settings"],
  ["?", "This list"],
  ["Esc", "Close"],
];

const themes: Readonly<Record<Theme, string>> = {
  system: "System",
  light: "Light",
  dark: "Dark",
  contrast: "High contrast",
  vscode: "VS Code",
};

const steps: Readonly<Record<Step, string>> = {
  scope: "Scope",
  context: "Context",
  cycle: "Cycle",
  prompt: "Prompt",
  generate: "Generate",
  board: "Board",
  review: "Review",
  accept: "Accept",
  test: "Test",
  next: "Done",
};

const advice: Readonly<Record<Advice, string>> = {
  scope: "Next: say what this project is for.",
  context: "Next: select the files that matter for this cycle.",
  cycle: "Next: say what this cycle should change.",
  prompt: "Next: open the prompt. It is too long, or holds possible secrets.",
  generate: "Next: generate.",
  board: "Next: open the board.",
  stopOrWait: "The model is writing. You can read a response as soon as it has ended.",
  runChecks: "Next: run the checks on the responses.",
  review: "Next: read the best response.",
  accept: "Next: accept the files you want.",
  test: "Next: try it in your project. Restore undoes it.",
  restore: "Checks fail. Next: restore, then accept another response.",
  next: "Next: start the next cycle.",
};

export const shell = {
  stepsLabel: "Steps",
  steps,
  stepLabel: (number: number, step: Step, isDone: boolean) => `Step ${number}: ${steps[step]}${isDone ? ", done" : ""}`,
  advice,
  theme: "Theme",
  themes,
  screens: { history: "History", settings: "Settings", manual: "Manual", checks: "Checks" },
  backToWork: "Back to the cycle",
  product: "DCE",
  connection,
  gatewayTitle: "Model and server of new generations",
  gateway: (model: string, host: string) => `${model} at ${host}`,
  defaultModel: "default model",
  keysLabel: "Help: keyboard shortcuts",
  gone:
    "**The panel does not respond.** This page may be out of date. If the panel was stopped, run `dce panel` again and open its " +
    "new link; otherwise this page reconnects by itself.",
  unwatched: (problems: ReadonlyArray<string>) =>
    `Changes made outside the panel do not show here at the moment; the panel keeps trying. Cause: ${problems.join("; ")}.`,
  keys,
  keysTitle: "Keyboard shortcuts",
  keysNote: "In the file tree, arrow keys move and open, and Space selects. Tab moves between areas.",
  close: "Close",
  cancel: "Cancel",
  copy: "Copy",
  loading: "Loading…",
  messages: "Messages",
  dismiss: "Dismiss",
  reloadPage: "Reload the page.",
  silent: "The panel does not respond.",
  silentHint: "Look at the terminal where `dce panel` runs. If it has ended, start it again and open its new link.",
  noReason: (status: number) => `The panel answered ${status} without a reason.`,
};
