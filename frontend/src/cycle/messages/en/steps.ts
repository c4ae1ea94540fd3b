// The steps of the loop and what each says comes next.

import type { Advice, Step } from "../../state/next";

const names: Readonly<Record<Step, string>> = {
  scope: "Scope",
  context: "Context",
  cycle: "Cycle",
  prompt: "Prompt",
  generate: "Generate",
  board: "Board",
  review: "Review",
  accept: "Accept",
  test: "Test",
  next: "Done",
};

const advice: Readonly<Record<Advice, string>> = {
  scope: "Next: say what this project is for.",
  context: "Next: select the files that matter for this cycle.",
  cycle: "Next: say what this cycle should change.",
  prompt: "Next: open the prompt. It is too long, or holds possible secrets.",
  generate: "Next: generate.",
  board: "Next: open the board.",
  stopOrWait: "The model is writing. You can read a response as soon as it has ended.",
  runChecks: "Next: run the checks on the responses.",
  review: "Next: read the best response.",
  accept: "Next: accept the files you want.",
  test: "Next: try it in your project. Restore undoes it.",
  restore: "Checks fail. Next: restore, then accept another response.",
  next: "Next: start the next cycle.",
};

export const steps = {
  label: "Steps",
  names,
  name: (number: number, step: Step, isDone: boolean) => `Step ${number}: ${names[step]}${isDone ? ", done" : ""}`,
  advice,
};
