// The cycle's texts, its cost and its prompt.

import type { DraftStatus } from "../../state/draft";
import { number, plural } from "../words";

const saved: Readonly<Record<DraftStatus, string>> = {
  saved: "Saved",
  unsaved: "…",
  saving: "Saving…",
  conflict: "Changed elsewhere",
  failed: "Not saved",
};

const sections: Readonly<Record<string, string>> = {
  M1: "schema",
  M2: "overview",
  M3: "answer form",
  M4: "project scope",
  M5: "artifacts",
  M6: "cycles",
  M7: "files",
};

export const cycle = {
  label: "Cycle",
  name: (id: number, title: string) => (id === 0 ? "Cycle 0: project scope" : `Cycle ${id}${title && `: ${title}`}`),
  earlier: "Earlier cycle",
  later: "Later cycle",
  create: "New cycle",
  saved,
  retry: "Try again",
  conflict: "This cycle was edited in another window or from the command line.",
  loadTheirs: "Load theirs",
  keepMine: "Keep mine",
  title: "Title",
  titleHint: "A few words: what this cycle is about",
  scope: "Project scope",
  scopeHint: "What the project is for and where it is going. It stands in every prompt.",
  context: "What should change",
  contextHint: "Say it as you would to a colleague: what, where, and how you will know that it is right.",
  ephemeral: "Ephemeral context",
  ephemeralHint: "For this prompt only: a log, an error message, a page of documentation. It is left out of later cycles.",
  notSaved: "The cycle’s text is not saved, so nothing was sent.",
  generate: "Generate",
  preparing: "Preparing…",
  count: "Number of responses",
  responses: (n: number) => (n === 1 ? "response" : "responses"),
  preview: "Preview prompt",
  meter: (tokens: string, budget: number | null) => `${tokens}${budget === null ? "" : ` of ${number(budget)}`} tokens`,
  tooLong: (meter: string) => `Too long: ${meter}`,
  meterTitle: (files: number, model: string) => `The prompt, with ${plural(files, "file")}, for ${model || "the default model"}`,
  promptTitle: "The prompt, as it would be sent now",
  assembling: "Putting it together…",
  sections,
  total: "All",
  totalTooLong: "Too long",
  totalOf: (tokens: number, budget: number | null) => `${number(tokens)}${budget === null ? "" : ` of ${number(budget)}`}`,
  promptText: "Text of the prompt",
};
