// Answers carried by hand.

import { number, plural } from "../words";

export const manual = {
  title: "By hand",
  open: "Copy and paste…",
  explain: "Copy the prompt into any chat, and paste each reply here. An answer is as good as one that was streamed.",
  copy: "Copy the prompt",
  copying: "Copying…",
  copied: (tokens: number, isExact: boolean, path: string) =>
    `Copied: ${isExact ? "" : "~"}${number(tokens)} tokens. It stands in ${path}, too.`,
  selectIt: "The browser does not let a page copy here: press Ctrl C, the text is selected.",
  promptText: "The prompt, to be copied",
  answers: "Answers",
  tab: (slot: number, state: string) => `Answer ${slot}: ${state}`,
  empty: "empty",
  more: "One more",
  paste: (slot: number) => `Answer ${slot}`,
  pasteHere: "Paste here",
  intoSlot: (slot: number) => `as answer ${slot}`,
  pasteExplain: (slot: number) => `The reply that you copied becomes answer ${slot}. A long one is kept at once, and the next empty tab opens.`,
  pasteByHand: "Nothing could be read from the clipboard: press Ctrl V in the field.",
  pasteHint: "… or paste or write a reply in this field.",
  keep: "Keep",
  keepAgain: "Keep as a new version",
  kept: (slot: number) => `Answer ${slot} is kept.`,
  parsed: "Parsed",
  raw: "As pasted",
  view: "All answers shown",
  files: (count: number) => (count === 0 ? "no file could be told apart" : plural(count, "file")),
  toBoard: "To the board",
};
