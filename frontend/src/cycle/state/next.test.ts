import { expect, test } from "vitest";
import { doneSteps, type Facts, nextStep, openSteps, STEPS } from "./next";

const EMPTY: Facts = {
  isScope: true,
  hasScope: false,
  hasFiles: true,
  selected: 0,
  hasTask: false,
  isBlocked: false,
  running: 0,
  readable: 0,
  hasChecks: false,
  isChecked: false,
  isReviewing: false,
  accepted: null,
};

test("the loop leads from an empty workspace to the next cycle, a fact at a time", () => {
  const path: ReadonlyArray<readonly [Partial<Facts>, string]> = [
    [{}, "scope"],
    [{ hasScope: true }, "context"],
    [{ selected: 2, isScope: false }, "cycle"],
    [{ hasTask: true }, "generate"],
    [{ running: 4 }, "stopOrWait"],
    [{ running: 0, readable: 4 }, "review"],
    [{ isReviewing: true }, "accept"],
    [{ accepted: "unchecked" }, "test"],
    [{ accepted: "pass" }, "next"],
  ];
  let facts = EMPTY;
  for (const [change, advice] of path) {
    facts = { ...facts, ...change };
    expect(nextStep(facts).advice).toBe(advice);
  }
});

test("what is in the way comes before what is next", () => {
  const ready: Facts = { ...EMPTY, isScope: false, hasScope: true, selected: 1, hasTask: true };
  expect(nextStep({ ...ready, isBlocked: true }).step).toBe("prompt");
  expect(nextStep({ ...ready, readable: 2, hasChecks: true }).advice).toBe("runChecks");
  expect(nextStep({ ...ready, readable: 2, hasChecks: true, isChecked: true }).step).toBe("review");
  expect(nextStep({ ...ready, readable: 2, accepted: "fail" }).advice).toBe("restore");
});

test("an empty folder needs no files", () => {
  expect(nextStep({ ...EMPTY, hasScope: true, hasTask: true, hasFiles: false }).step).toBe("generate");
});

test("in every state the next step has a place to go to and is not done yet", () => {
  const choices: { readonly [Name in keyof Facts]: ReadonlyArray<Facts[Name]> } = {
    isScope: [true, false],
    hasScope: [true, false],
    hasFiles: [true, false],
    selected: [0, 2],
    hasTask: [true, false],
    isBlocked: [true, false],
    running: [0, 2],
    readable: [0, 3],
    hasChecks: [true, false],
    isChecked: [true, false],
    isReviewing: [true, false],
    accepted: [null, "unchecked", "pass", "fail"],
  };
  let states: Facts[] = [EMPTY];
  for (const [name, values] of Object.entries(choices)) {
    states = states.flatMap((state) => values.map((value) => ({ ...state, [name]: value }) as Facts));
  }
  for (const state of states) {
    const { step } = nextStep(state);
    expect(STEPS.includes(step)).toBe(true);
    expect(openSteps(state).has(step), `${step} is closed in ${JSON.stringify(state)}`).toBe(true);
    if (step !== "board") expect(!doneSteps(state).has(step), `${step} is done in ${JSON.stringify(state)}`).toBe(true);
  }
});
