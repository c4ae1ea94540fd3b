// The cycle: its texts, its prompt, generating, and the next step. Other areas import from here only.

export { CycleCard } from "./cycle";
export { FirstSteps } from "./firststeps";
export { SendingGate } from "./gate";
export { ManualScreen } from "./manual";
export { stepCycle } from "./state/cycles";
export { useDraft } from "./state/draft";
export { factsOf } from "./state/facts";
export { unfold } from "./state/folding";
export { doneSteps, type Facts, nextStep, openSteps, STEPS, type Step } from "./state/next";
