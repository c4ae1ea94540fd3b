// The frame: top line, steps, keys, messages that belong to no one screen.

import type { Theme } from "../../../kit/theme";
import type { Link } from "../../../state/shared";

const connection: Readonly<Record<Link, string>> = {
  connecting: "Connecting…",
  live: "Live",
  lost: "Reconnecting…",
  closed: "Disconnected",
};

/** The keys of `shell/keymap.ts`. */
const keys = {
  generate: { keys: "Ctrl+Enter", does: "Generate, from a field of the cycle" },
  response: { keys: "1 … 9, 0", does: "Response 1 … 9, 10" },
  board: { keys: "b", does: "Board" },
  step: { keys: "j, k", does: "Next or previous response" },
  facets: { keys: "p, d, l, r", does: "Answer (parsed), diff, pick (lines), raw text" },
  checks: { keys: "t", does: "Checks (tests) of the response, or of all on the board" },
  accept: { keys: "a", does: "Accept the selected files" },
  files: { keys: "f", does: "Filter the files" },
  cycle: { keys: "c", does: "Edit the cycle’s text" },
  cycles: { keys: "[, ]", does: "Earlier or later cycle" },
  panes: { keys: "h, s", does: "History or settings" },
  help: { keys: "?", does: "This list" },
  close: { keys: "Esc", does: "Close" },
};

const themes: Readonly<Record<Theme, string>> = {
  system: "System",
  light: "Light",
  dark: "Dark",
  contrast: "High contrast",
  vscode: "VS Code",
};

export const shell = {
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
