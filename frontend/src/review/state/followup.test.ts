// What can be asked about a response.

import assert from "node:assert/strict";
import { test } from "node:test";
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
  assert.equal(isBroken(row(failing)), true);
  assert.equal(isBroken(row({ ...failing, fails_anyway: true })), true); // the task may ask for it
  assert.equal(isBroken(row({ ...failing, failed: 0, new_failures: 1 })), true); // a test is missing
  assert.equal(isBroken(row({ ...failing, failed: 0 })), false);
  assert.equal(isBroken(row(null)), false);
  assert.equal(isBroken(undefined), false);
});

test("a response is fused with another one that has ended and has text", () => {
  const generation = {
    slots: [slot(1, "complete", 9), slot(2, "generating", 9), slot(3, "error", 0), slot(4, "stopped", 2)],
  } as unknown as GenerationView;
  assert.deepEqual(
    othersOf(generation, 1).map((each) => each.slot),
    [4],
  );
});

test("an empty follow-up cannot be asked", () => {
  const nothing = { version: 1, words: " \n", is_failing: false, rounds: 1, other: null };
  assert.equal(isAsking(nothing), false);
  assert.equal(isAsking({ ...nothing, words: "x" }), true);
  assert.equal(isAsking({ ...nothing, is_failing: true }), true);
  assert.equal(isAsking({ ...nothing, other: 2 }), true);
});
