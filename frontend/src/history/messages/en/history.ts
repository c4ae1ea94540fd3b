// The history: all cycles, their generations and what was accepted.

import { progress } from "../../../board/messages/en/progress";
import { plural } from "../../../text/plural";
import { number } from "../../../text/words";

export const history = {
  find: "Search cycles and responses",
  findHint: "Words or beginnings of words",
  jump: "Go to cycle number",
  go: "Go",
  cycles: "Cycles",
  none: "No cycles yet.",
  noHits: "No results.",
  hits: (count: number, limit: number) => (count >= limit ? `First ${limit} results` : plural(count, "result")),
  hitCycle: (id: number, title: string) => `Cycle ${id}${title && `: ${title}`}`,
  hitResponse: (id: number, generation: number, slot: number, version: number) =>
    `Cycle ${id}, generation ${generation}, response ${slot}${version > 1 ? `, version ${version}` : ""}`,
  row: (responses: number, tokens: number) =>
    responses === 0 ? "no responses" : `${plural(responses, "response")}, ${number(tokens)} tokens`,
  statuses: (statuses: Readonly<Record<string, number>>) =>
    Object.entries(statuses)
      .map(([status, count]) => progress.ended(count, status))
      .join(", "),
  chosen: (slot: number) => `response ${slot} accepted`,
  untitled: "(no title)",
  scopeTitle: "Project scope",
  record: (id: number) => `Cycle ${id}`,
  open: "Open this cycle",
  allCycles: "All cycles",
  earlier: "Earlier",
  later: "Later",
  delete: "Delete this cycle",
  deleteSure: (id: number) => `Delete cycle ${id}?`,
  deleteNote: "It disappears from every list and from later prompts. Its number is not reused.",
  deleteIt: "Delete",
  deleted: (id: number) => `Deleted cycle ${id}.`,
  generations: "Generations",
  noGenerations: "Nothing was generated.",
  generation: (id: number, when: string, model: string) => `Generation ${id}, ${when}${model && `, ${model}`}`,
  response: (slot: number, status: string, tokens: number) =>
    `${slot}: ${progress.status(status)}, ${number(tokens)} tokens`,
  openResponse: (slot: number, status: string, tokens: number) =>
    `Open response ${slot}: ${progress.status(status)}, ${number(tokens)} tokens`,
  version: (version: number) => `version ${version}`,
  openVersion: (slot: number, version: number) => `version ${version} of response ${slot}`,
  accepted: "Accepted",
  nothingAccepted: "Nothing was accepted.",
  acceptance: (when: string, slot: number, generation: number, version: number) =>
    `${when}: response ${slot} of generation ${generation}${version > 1 ? `, version ${version}` : ""}`,
  restoredAt: (when: string) => `restored ${when}`,
  inForce: "in the workspace",
  context: "What should change",
  versionTitle: (slot: number, version: number, generation: number) =>
    `Version ${version} of response ${slot}, generation ${generation}`,
  rawText: "Response text",
  export: "Export…",
  exportNote:
    "All cycles with their prompts, responses and checks. No keys, but everything that the prompts showed of your files.",
  import: "Import…",
  imported: (cycles: number, responses: number) =>
    `Imported ${plural(cycles, "cycle")} with ${plural(responses, "response")}.`,
};
