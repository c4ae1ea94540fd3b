// The frame: top line, steps, keys, messages that belong to no screen.

import type { Connection } from "../../state/store";

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
  ["p, d, r", "Answer (parsed), diff, raw text"],
  ["a", "Accept the chosen files"],
  ["f", "Filter the files"],
  ["c", "The cycle’s text"],
  ["?", "This list"],
  ["Esc", "Close"],
];

export const shell = {
  product: "DCE",
  connection,
  gatewayTitle: "The gateway, and the model asked for",
  gateway: (model: string, host: string) => `${model} at ${host}`,
  defaultModel: "default model",
  keysLabel: "Help: keys",
  gone:
    "**The panel does not answer.** What you see may be out of date. If it was stopped, run `dce panel` again and open its " +
    "new link; this page tries to reconnect by itself.",
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
