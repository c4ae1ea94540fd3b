// Manual generation: the prompt is copied out, and the answers are pasted in.

import { plural } from "../../../text/plural";
import { number } from "../../../text/words";

export const manual = {
  title: "Manual (copy and paste)",
  open: "Copy and paste…",
  explain: "Copy the prompt into any chat and paste each reply here. A pasted answer is treated like a generated one.",
  copy: "Copy the prompt",
  copying: "Copying…",
  copied: (tokens: number, isExact: boolean, path: string) =>
    `Copied: ${isExact ? "" : "~"}${number(tokens)} tokens. Also written to ${path}.`,
  selectIt: "The browser does not let this page copy. The text is selected: press Ctrl+C.",
  promptText: "Prompt to copy",
  answers: "Answers",
  tab: (slot: number, state: string) => `Answer ${slot}: ${state}`,
  empty: "empty",
  more: "Add an answer",
  paste: (slot: number) => `Answer ${slot}`,
  pasteHere: "Paste here",
  intoSlot: (slot: number) => `as answer ${slot}`,
  pasteExplain: (slot: number) =>
    `The reply in the clipboard becomes answer ${slot}. A long one is saved at once, and the next empty tab opens.`,
  pasteFailed: "The clipboard could not be read: press Ctrl+V in the field.",
  pasteHint: "… or paste or type a reply in this field.",
  save: "Save",
  saveAgain: "Save as new version",
  saved: (slot: number) => `Saved answer ${slot}.`,
  parsed: "Parsed",
  raw: "As pasted",
  view: "How answers are shown",
  files: (count: number) => (count === 0 ? "no files found" : plural(count, "file")),
  toBoard: "Open the board",
};
