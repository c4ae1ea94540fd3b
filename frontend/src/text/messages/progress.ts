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
  regenerateSlot: (slot: number) => `Regenerate response ${slot}`,
  regenerateAll: "Regenerate all",
  sureOf: (label: string) => `Sure? ${label}`,
  goOn: "Go on",
  continueSlot: (slot: number) => `Go on with response ${slot}`,
  continueTitle: "Go on where it was cut; what there is stays as an earlier version",
  fill: (count: number) => `Fill ${count} empty`,
  fillTitle: "Write those anew that were stopped or failed",
  place: (position: number) => (position <= 1 ? "next in the queue" : `place ${number(position)} in the queue`),
  ttft: (time: string) => `TTFT ${time}`,
  ttftTitle: "Time to the first token",
  noRate: "It all came at once: there is no speed to tell",
  together: (speed: string) => `${speed} together`,
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
  areRunning: "Responses are being written.",
  running: (count: number) => `${count} running`,
  ended: (count: number, status: string) => `${count} ${status}`,
  firstSteps: "Next steps",
  none: "No responses yet",
  welcome: "Begin here",
  isDone: " (done)",
  steps: {
    scope: "Above, say **what this project is for** and where it is going. It stands in every prompt.",
    files: (selected: number) =>
      `Tick the files that matter.${selected > 0 ? ` ${plural(selected, "file")} so far.` : " Notes, data and code alike."}`,
    noFiles: "This folder is empty, and that is fine: the first answers plan what goes into it.",
    task: "Say what this cycle should change.",
    generateFirst:
      "Press **Generate**: the model answers several times in parallel, with a plan for the project. Or begin a **New cycle** and say what should change.",
    generate: "Press **Generate**: the model answers several times in parallel, each answer in a tab of its own.",
    judge: (hasChecks: boolean) =>
      `Compare them${hasChecks ? ", run your checks on them" : ""}, accept the best one’s files. **Restore** takes that back exactly.`,
  },
};
