// How far responses are.

import { number, plural } from "../words";

export const progress = {
  bar: (thinking: number, answer: number, limit: number) =>
    `${number(thinking)} thinking and ${number(answer)} answer tokens${limit > 0 ? ` of at most ${number(limit)}` : ""}`,
  tokens: (tokens: string) => `${tokens} tok`,
  stop: "Stop",
  stopSlot: (slot: number) => `Stop response ${slot}`,
  regenerate: "Regenerate",
  regenerateTitle: "Regenerate: write it anew from the same prompt",
  regenerateSlot: (slot: number, isArmed: boolean) => `${isArmed ? "Sure? " : ""}Regenerate response ${slot}`,
  sure: "Sure?",
  responses: "Responses",
  boardAndResponses: "Board and responses",
  board: "Board",
  generation: "Generation",
  generationNumber: (id: number) => `Generation ${id}`,
  generationAt: (id: number, time: string) => `Generation ${id}, ${time}`,
  stopAll: "Stop all",
  runChecks: "Run checks",
  checking: "Checking…",
  tab: (slot: number, status: string, checks: "none" | "pass" | "fail", isAccepted: boolean) =>
    `Response ${slot}: ${status}${checks === "none" ? "" : `, checks ${checks}`}${isAccepted ? ", accepted" : ""}`,
  accepted: "Accepted",
  running: (count: number) => `${count} running`,
  ended: (count: number, status: string) => `${count} ${status}`,
  firstSteps: "Next steps",
  none: "No responses yet",
  tickFiles: (selected: number) => `Tick the files that matter.${selected > 0 ? ` ${plural(selected, "file")} so far.` : ""}`,
  sayWhat: "Say what this cycle should change.",
  pressGenerate: "Press **Generate**: the model answers several times in parallel, each answer in a tab of its own.",
  compare: (hasChecks: boolean) =>
    `Compare them${hasChecks ? ", run your checks on them" : ""}, accept the best one’s files. **Restore** takes that back exactly.`,
};
