// What can be asked about a response.

import { expect, test } from "vitest";
import type { BoardRow, GenerationView } from "../../api/generated";
import { isAsking, isBroken, othersOf } from "./followup";

const slot = (number: number, status: string, answer: number) => ({
  slot: number,
  status,
  tokens: { thinking: 1, answer, exact: true },
});
const row = (checks: object | null) => ({ checks }) as unknown as BoardRow;

test("a repair is offered if a check fails or a test is missing", () => {
  const failing = { passed: 1, failed: 2, new_failures: 0, fails_anyway: false };
  expect(isBroken(row(failing))).toBe(true);
  expect(isBroken(row({ ...failing, fails_anyway: true }))).toBe(true); // the task may ask for it
  expect(isBroken(row({ ...failing, failed: 0, new_failures: 1 }))).toBe(true); // a test is missing
  expect(isBroken(row({ ...failing, failed: 0 }))).toBe(false);
  expect(isBroken(row(null))).toBe(false);
  expect(isBroken(undefined)).toBe(false);
});

test("a response is fused with another one that has ended and has text", () => {
  const generation = {
    slots: [slot(1, "complete", 9), slot(2, "generating", 9), slot(3, "error", 0), slot(4, "stopped", 2)],
  } as unknown as GenerationView;
  expect(othersOf(generation, 1).map((each) => each.slot)).toStrictEqual([4]);
});

test("an empty follow-up cannot be asked", () => {
  const nothing = { version: 1, words: " \n", is_failing: false, rounds: 1, other: null };
  expect(isAsking(nothing)).toBe(false);
  expect(isAsking({ ...nothing, words: "x" })).toBe(true);
  expect(isAsking({ ...nothing, is_failing: true })).toBe(true);
  expect(isAsking({ ...nothing, other: 2 })).toBe(true);
});
