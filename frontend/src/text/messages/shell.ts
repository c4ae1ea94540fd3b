// The frame: top line, steps, keys, messages that belong to no screen.

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
  ["Ctrl Enter", "Generate, from the cycle’s fields"],
  ["1 … 9, 0", "Response 1 … 9, 10"],
  ["b", "The board"],
  ["j, k", "Next, previous response"],
  ["p, d, l, r", "Answer (parsed), diff, lines to pick, raw text"],
  ["a", "Accept the chosen files"],
  ["f", "Filter the files"],
  ["c", "The cycle’s text"],
  ["[, ]", "Earlier, later cycle"],
  ["h, s", "History, settings"],
  ["?", "This list"],
  ["Esc", "Close"],
];

const themes: Readonly<Record<Theme, string>> = {
  system: "System light",
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
  next: "Restore or next",
};

const advice: Readonly<Record<Advice, string>> = {
  scope: "Next: say what this project is for.",
  context: "Next: tick the files that matter for this cycle.",
  cycle: "Next: say what this cycle should change.",
  prompt: "Next: make the prompt fit; look at what is in it.",
  generate: "Next: generate.",
  board: "Next: look at the board.",
  stopOrWait: "The model is writing; a response can be read as soon as it has ended.",
  runChecks: "Next: run the checks on the responses.",
  review: "Next: read the best response.",
  accept: "Next: accept the files that you want.",
  test: "Next: try it in your project; Restore takes it back.",
  restore: "Next: its checks fail. Restore, and take another response.",
  next: "Next: begin the next cycle.",
};

export const shell = {
  stepsLabel: "Steps",
  steps,
  stepLabel: (number: number, step: Step, isDone: boolean) => `Step ${number}: ${steps[step]}${isDone ? ", done" : ""}`,
  advice,
  theme: "Colours",
  themes,
  screens: { history: "History", settings: "Settings", manual: "By hand" },
  backToWork: "Back to the cycle",
  product: "DCE",
  connection,
  gatewayTitle: "The gateway, and the model asked for",
  gateway: (model: string, host: string) => `${model} at ${host}`,
  defaultModel: "default model",
  keysLabel: "Help: keys",
  gone:
    "**The panel does not answer.** What you see may be out of date. If it was stopped, run `dce panel` again and open its " +
    "new link; this page tries to reconnect by itself.",
  unwatched: (problems: ReadonlyArray<string>) =>
    `Changes made outside the panel do not show here at the moment; the panel keeps trying. Cause: ${problems.join("; ")}.`,
  keys,
  keysTitle: "Keys",
  keysNote: "In the file tree: arrows move and open, Space ticks. Tab moves between areas.",
  close: "Close",
  cancel: "Cancel",
  copy: "Copy",
  loading: "Loading…",
  messages: "Messages",
  dismiss: "Dismiss",
  reloadPage: "Reload the page.",
  silent: "The panel does not answer.",
  silentHint: "Check the terminal where `dce panel` runs; start it again and open its new link.",
  noReason: (status: number) => `The panel answered ${status} without saying why.`,
};
