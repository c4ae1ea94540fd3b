// The steps of the loop and the next one: a pure function of the state, never of what was clicked.

export const STEPS = [
  "scope",
  "context",
  "cycle",
  "prompt",
  "generate",
  "board",
  "review",
  "accept",
  "test",
  "next",
] as const;
export type Step = (typeof STEPS)[number];

/** What the steps are derived from: the current cycle, its latest generation and what was accepted of it. */
export interface Facts {
  /** Whether the current cycle is cycle 0, the project scope. */
  readonly isScope: boolean;
  readonly hasScope: boolean;
  /** Whether there are files to select; an empty folder needs none. */
  readonly hasFiles: boolean;
  readonly selected: number;
  readonly hasTask: boolean;
  /** The prompt is too long for the model, or holds possible secrets that nobody has reviewed. */
  readonly isBlocked: boolean;
  readonly running: number;
  /** The number of responses that ended with a text. */
  readonly readable: number;
  readonly hasChecks: boolean;
  readonly isChecked: boolean;
  /** Whether a response is in view, not the board. */
  readonly isReviewing: boolean;
  /** The check result of the response in the workspace; null if none of this cycle's is. */
  readonly accepted: "unchecked" | "pass" | "fail" | null;
}

export type Advice = Step | "stopOrWait" | "runChecks" | "restore";

export interface Next {
  readonly step: Step;
  /** The message to show. */
  readonly advice: Advice;
}

const at = (step: Step, advice: Advice = step): Next => ({ step, advice });

/** The next step. */
export function nextStep(facts: Facts): Next {
  if (facts.isScope && !facts.hasScope) return at("scope");
  if (facts.accepted === "fail") return at("next", "restore");
  if (facts.accepted === "pass") return at("next");
  if (facts.accepted === "unchecked") return at("test");
  if (facts.running > 0) return at("board", "stopOrWait");
  if (facts.readable > 0) return judging(facts);
  if (facts.hasFiles && facts.selected === 0) return at("context");
  if (!facts.hasTask) return at("cycle");
  return at(facts.isBlocked ? "prompt" : "generate");
}

function judging(facts: Facts): Next {
  if (facts.isReviewing) return at("accept");
  return facts.hasChecks && !facts.isChecked ? at("board", "runChecks") : at("review");
}

/** The steps that are done. */
export function doneSteps(facts: Facts): ReadonlySet<Step> {
  const hasAnswers = facts.readable > 0 || facts.running > 0 || facts.accepted !== null;
  const isDone: Readonly<Record<Step, boolean>> = {
    scope: facts.hasScope,
    context: facts.selected > 0,
    cycle: facts.hasTask,
    prompt: facts.hasTask && !facts.isBlocked,
    generate: hasAnswers,
    board: facts.accepted !== null || (facts.readable > 0 && facts.isChecked),
    review: facts.accepted !== null,
    accept: facts.accepted !== null,
    test: facts.accepted === "pass",
    next: false,
  };
  return new Set(STEPS.filter((step) => isDone[step]));
}

/** The steps that can be opened. */
export function openSteps(facts: Facts): ReadonlySet<Step> {
  const hasBoard = facts.readable > 0 || facts.running > 0 || facts.accepted !== null;
  const isClosed: Partial<Record<Step, boolean>> = {
    board: !hasBoard,
    review: !hasBoard,
    accept: facts.readable === 0,
    test: facts.accepted === null,
  };
  return new Set(STEPS.filter((step) => isClosed[step] !== true));
}
