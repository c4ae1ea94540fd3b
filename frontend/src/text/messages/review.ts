// One response, and its diff.

import type { Facet } from "../../state/place";
import { number } from "../words";

const facets: Readonly<Record<Facet, string>> = { answer: "Answer", diff: "Diff", pick: "Pick", raw: "Raw" };

/** What the flags of the board and of files mean. */
const flags: Readonly<Record<string, string>> = {
  truncated: "Breaks off: the model reached its output limit",
  elision: "Leaves something out: placeholder text, or a file that shrank by more than 40 %",
  missing_files: "Names files that it does not hold",
  outside_workspace: "Outside the workspace: will not be written",
  touches_secrets: "A place where keys or passwords are kept",
  ambiguous_block: "The end of the file had to be guessed",
  stale_base: "The file changed since the prompt was made",
  unapplied_edit: "An edit that fits nowhere in the file: see the notes",
};

export const review = {
  view: "View",
  facets,
  flags,
  flag: (name: string) => name.replaceAll("_", " "),
  groupTitle: "Responses of one group lead to the same files",
  group: (letter: string) => `group ${letter}`,
  version: (version: number) => `version ${version}`,
  parseFailed: "This answer is not in the form that the prompt asked for, so its files could not be told apart.",
  showRaw: "Show the raw text",
  summary: "Summary",
  plan: "Plan",
  activity: "Activity",
  files: "Files",
  showText: "Show text",
  hideText: "Hide text",
  picture: (name: string, url: string) => `[picture${name && `: ${name}`}, not loaded: ${url}]`,
  earlier: "Earlier ones",
  corrected: "put right by hand",
  correct: "Put right by hand",
  correctExplain: "The model’s own words.",
  correctLabel: "The answer’s text, to be put right",
  keepCorrection: "Keep as a version of its own",
  judgement: "What you think of it",
  mark: { shortlisted: "Shortlist", rejected: "Reject" },
  rating: "Rating",
  rate: (stars: number) => `${stars} of 5`,
  base: "Base of the next cycle",
  baseTitle: "The next cycle’s prompt tells what this response did",
  note: "Note",
  thinking: "Thinking",
  rawText: "Answer, raw text",
  waiting: "Waiting for the first word…",
  noText: "There is no text.",
  file: "File",
  fileUnchanged: (path: string) => `${path} (unchanged)`,
  fileChanged: (path: string, added: number, removed: number) => `${path} +${added} −${removed}`,
  against: "against",
  theWorkspace: "the file now",
  thePrompt: "the prompt’s copy",
  side: (kind: "workspace" | "prompt" | "response", slot: number) =>
    ({ workspace: "the file now", prompt: "the prompt’s own copy", response: `response ${slot}` })[kind],
  fold: "fold",
  large: (chars: number) => `These are ${number(chars)} characters.`,
  showLarge: "Show the difference",
  response: (slot: number) => `response ${slot}`,
  layout: "Layout",
  unified: "Unified",
  split: "Side by side",
  same: "Both are the same.",
  isNew: (label: string) => `New: there is no such file in ${label}.`,
  isMissing: (label: string) => `${label} does not hold this file.`,
  fromTo: (before: string, after: string) => `From ${before} to ${after}.`,
};
