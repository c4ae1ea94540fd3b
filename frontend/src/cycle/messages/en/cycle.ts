// The cycle's texts, its cost and its prompt.

import { plural } from "../../../text/plural";
import { number } from "../../../text/words";
import type { DraftStatus } from "../../state/texts";

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
  M3: "answer format",
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
  loadTheirs: "Load the other version",
  keepMine: "Keep mine",
  title: "Title",
  titleHint: "What this cycle is about, in a few words",
  scope: "Project scope",
  scopeHint: "What the project is for and where it is going. Every prompt includes it.",
  context: "What should change",
  fold: "Collapse the cycle’s text to one line",
  unfold: "Show and edit the cycle’s text",
  contextHint: "Write as you would to a colleague: what to change, where, and how you will know that it is right.",
  ephemeral: "One-time context",
  ephemeralHint: "For this prompt only: a log, an error message, a page of documentation. Later cycles leave it out.",
  notSaved: "The cycle’s text could not be saved, so nothing was sent.",
  generate: "Generate",
  preparing: "Preparing…",
  count: "Number of responses",
  responses: (n: number) => (n === 1 ? "response" : "responses"),
  preview: "Preview prompt",
  meter: (tokens: string, budget: number | null) => `${tokens}${budget === null ? "" : ` of ${number(budget)}`} tokens`,
  tooLong: (meter: string) => `Too long: ${meter}`,
  meterTitle: (files: number, model: string) =>
    `Size of the prompt with ${plural(files, "file")}, for ${model || "the default model"}`,
  mode: "Model",
  modeSettings: (what: string) => `${what} (settings)`,
  modeDemo: "demo: small model on this machine",
  modeManual: "manual: copy and paste",
  modeCard: (name: string, what: string) => `${name}: ${what}`,
  modeWhat: (provider: string, url: string) =>
    provider === "manual"
      ? "manual"
      : `${provider === "gateway" ? "gateway" : "server"} ${url.replace(/^https?:\/\//, "")}`,
  gateTitle: "Before this is sent",
  gateWhat: (bytes: string, files: number, host: string) =>
    `${bytes} bytes with ${plural(files, "file")} will be sent to ${host}.`,
  gateMore: (count: number) => `and ${count} more`,
  gateFindings: (count: number) => `${plural(count, "possible secret")} to review first`,
  gatePlace: (path: string, line: number) => `${path}:${line}`,
  gateLeaveOut: "Exclude the file",
  gateAllow: "Not a secret",
  gateReason: "reviewed in the panel",
  gateAgree: (host: string) => `Agree and send to ${host}`,
  gateSend: "Send",
  promptTitle: "The prompt that would be sent now",
  assembling: "Building the prompt…",
  sections,
  total: "Total",
  totalTooLong: "Too long",
  totalOf: (tokens: number, budget: number | null) =>
    `${number(tokens)}${budget === null ? "" : ` of ${number(budget)}`}`,
  promptText: "Prompt text",
  shared: (tokens: number) =>
    `The first ~${number(tokens)} tokens are the same as in the last prompt: the server may still have them cached.`,
};
