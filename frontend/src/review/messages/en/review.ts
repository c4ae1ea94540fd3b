// One response, and its diff.

import type { Facet } from "../../../state/place";
import { number } from "../../../text/words";

const facets: Readonly<Record<Facet, string>> = {
  answer: "Answer",
  diff: "Diff",
  checks: "Checks",
  pick: "Pick",
  raw: "Raw",
};

/** What a response is compared with: the file as it is now, as the prompt showed it, or as another response writes it. */
type Side = "workspace" | "prompt" | "response";

export const review = {
  view: "View",
  facets,
  readFrom: (path: string) => `written as ${path}`,
  groupTitle: "Responses of one group produce identical files",
  group: (letter: string) => `group ${letter}`,
  version: (version: number) => `version ${version}`,
  parseFailed: "This answer does not follow the format that the prompt asked for: no files found.",
  showRaw: "Show the raw text",
  summary: "Summary",
  plan: "Plan",
  activity: "Activity",
  files: "Files",
  showText: "Show text",
  hideText: "Hide text",
  picture: (name: string, url: string) => `[image${name && `: ${name}`}, not loaded: ${url}]`,
  earlier: "Earlier versions",
  edited: "edited",
  fix: "Fix answer",
  revert: "Revert edit",
  revertTitle: "Back to the model’s text; the edit stays as an earlier version",
  editSummary: "Edit summary",
  editNote: "The files do not change. The edit becomes a new version; the model’s text stays as an earlier one.",
  noSummary: "The answer has no text besides its files.",
  resetEdit: "Reset",
  fixExplain: "The answer as the model wrote it.",
  fixLabel: "Answer text",
  saveEdit: "Save as new version",
  judgement: "Your judgement",
  mark: { shortlisted: "Shortlist", rejected: "Reject" },
  rating: "Rating",
  rate: (stars: number) => `${stars} of 5`,
  base: "Base of the next cycle",
  baseTitle: "The next cycle’s prompt says what this response did",
  note: "Note",
  thinking: "Thinking",
  rawText: "Answer, raw text",
  waiting: "Waiting for the first token…",
  noText: "No text.",
  file: "File",
  fileUnchanged: (path: string) => `${path} (unchanged)`,
  fileChanged: (path: string, added: number, removed: number) => `${path} +${added} −${removed}`,
  against: "Compare with",
  theWorkspace: "current file",
  thePrompt: "file in the prompt",
  side: (kind: Side, slot: number) =>
    ({ workspace: "Current file", prompt: "File in the prompt", response: `Response ${slot}` })[kind],
  fold: "hide unchanged lines",
  large: (chars: number) => `This diff has ${number(chars)} characters.`,
  showLarge: "Show the diff",
  response: (slot: number) => `response ${slot}`,
  layout: "Layout",
  unified: "Unified",
  split: "Side by side",
  same: "No differences.",
  isNew: (kind: Side, slot: number) =>
    `New file: ${{ workspace: "not in the workspace", prompt: "not in the prompt", response: `not in response ${slot}` }[kind]}.`,
  isMissing: (slot: number) => `Response ${slot} does not contain this file.`,
  renamed: (slot: number, from: string) => `Response ${slot} renames ${from} to this file.`,
  deletes: (slot: number) => `Response ${slot} deletes this file.`,
  changesMode: (slot: number) => `Response ${slot} changes only the mode of this file.`,
  fromTo: (before: string, after: string) => `${before} → ${after}.`,
};
