// The progress of responses.

import type { Status } from "../../../api/generated";
import { plural } from "../../../text/plural";
import { number } from "../../../text/words";
import type { Outcome } from "../../state/checkresults";

/** The display name of a status. */
const status = (value: Status | string) => (value === "error" ? "failed" : value);

const CHECKS: Readonly<Record<"stale" | Outcome, string>> = {
  pass: "checks pass",
  anyway: "checks fail without any response too",
  fail: "checks fail",
  stale: "checks are stale",
};

export const progress = {
  status,
  bar: (thinking: number, answer: number, limit: number) =>
    `${number(thinking)} thinking and ${number(answer)} answer tokens${limit > 0 ? ` of at most ${number(limit)}` : ""}`,
  tokens: (tokens: string) => `${tokens} tok`,
  stop: "Stop",
  stopSlot: (slot: number) => `Stop response ${slot}`,
  regenerate: "Regenerate",
  regenerateTitle: "Regenerate from the same prompt",
  regenerateSlot: (slot: number) => `Regenerate response ${slot}`,
  regenerateAll: "Regenerate all",
  sureOf: (label: string) => `Sure? ${label}`,
  continue: "Continue",
  continueSlot: (slot: number) => `Continue response ${slot}`,
  continueTitle: "Continue where the response was cut off; its current text stays as an earlier version",
  retry: (count: number) => `Retry ${count} failed`,
  retryTitle: "Regenerate the responses that failed or were stopped",
  place: (position: number) => (position <= 1 ? "next in the queue" : `position ${number(position)} in the queue`),
  wait: (why: string, retryInS: number) => `${why}, asked again in ${number(Math.ceil(retryInS))} s`,
  ttft: (time: string) => `TTFT ${time}`,
  ttftTitle: "Time to first token",
  noRate: "The response arrived all at once, so it has no speed",
  totalRate: (speed: string) => `${speed} total`,
  sure: "Sure?",
  responses: "Responses",
  boardAndResponses: "Board and responses",
  board: "Board",
  generation: "Generation",
  generationNumber: (id: number) => `Generation ${id}`,
  generationAt: (id: number, time: string) => `Generation ${id}, ${time}`,
  stopAll: "Stop all",
  tab: (slot: number, ended: string, checks: "none" | "stale" | Outcome, isAccepted: boolean) =>
    `Response ${slot}: ${status(ended)}${checks === "none" ? "" : `, ${CHECKS[checks]}`}${isAccepted ? ", accepted" : ""}`,
  accepted: "Accepted",
  areRunning: "Responses are running.",
  running: (count: number) => `${count} running`,
  ended: (count: number, ended: string) => `${count} ${status(ended)}`,
  firstSteps: "Next steps",
  none: "No responses yet",
  welcome: "Start here",
  isDone: " (done)",
  steps: {
    scope: "Say above **what this project is for** and where it is going. Every prompt includes it.",
    files: (selected: number) =>
      `Select the files that matter.${selected > 0 ? ` ${plural(selected, "file")} so far.` : " Notes and data count as much as code."}`,
    noFiles: "This folder is empty. That is fine: the first answers plan what goes into it.",
    task: "Say what this cycle should change.",
    generateFirst:
      "Press **Generate**: the model writes several answers in parallel, each with a plan for the project. Or start a **New cycle** and say what should change.",
    generate: "Press **Generate**: the model writes several answers in parallel, each in its own tab.",
    judge: (hasChecks: boolean) =>
      `Compare them${hasChecks ? ", run your checks on them" : ""} and accept the files of the best one. **Restore** undoes that exactly.`,
  },
};
