import { expect, test } from "vitest";
import type { BoardRow, Judgement } from "../../api/generated";
import { rowOf } from "../../testing/samples";
import { verdictOf } from "./verdict";

const row = (slot: number, change: Partial<BoardRow> = {}): BoardRow =>
  rowOf({ slot, rank: slot, files: [], ...change });
const rejected = (slot: number): Judgement => ({
  generation: 1,
  slot,
  version: 1,
  mark: "rejected",
  rating: 0,
  note: "",
});

test("the best is the first in rank that can be read and was not rejected", () => {
  const rows = [row(1, { parse: "failed", cluster: "" }), row(2), row(3, { cluster: "B" }), row(4)];
  expect(verdictOf(rows, [])?.slot).toBe(2);
  expect(verdictOf(rows, [rejected(2)])?.slot).toBe(3);
  expect(verdictOf(rows, [])?.readable).toBe(3);
});

test("nothing is said when nothing can be read", () => {
  expect(verdictOf([row(1, { parse: "failed", cluster: "" })], [])).toBe(null);
  expect(verdictOf([row(1)], [rejected(1)])).toBe(null);
});

test("the board's own sentence is what is said, and what failed, is doubtful or stale is not called good", () => {
  const checks = {
    passed: 3,
    failed: 1,
    new_failures: 1,
    gained: 0,
    fails_anyway: false,
    flaky: [],
    stale: "",
    own: null,
    limits: [],
  } as const;
  const passing = { checks: { ...checks, failed: 0, new_failures: 0 }, why: "Breaks nothing." };
  expect(verdictOf([row(1, passing)], [])?.why).toBe("Breaks nothing.");
  expect(verdictOf([row(1, passing)], [])?.isGood).toBe(true);
  expect(verdictOf([row(1, { checks })], [])?.isGood).toBe(false);
  expect(verdictOf([row(1)], [])?.isGood).toBe(false);
  expect(verdictOf([row(1, { ...passing, flags: ["elision"] })], [])?.isGood).toBe(false);
  expect(verdictOf([row(1, { ...passing, is_stale: true })], [])?.isGood).toBe(false);
});
