import assert from "node:assert/strict";
import { test } from "node:test";
import { isFolded } from "./folding";

const texts = { cycle: 2, hasResponses: true, isWanting: false };

test("texts are folded once there are responses, and not before", () => {
  assert.equal(isFolded(texts, null), true);
  assert.equal(isFolded({ ...texts, hasResponses: false }, null), false);
});

test("what the curator opened stays open, and only of that cycle", () => {
  assert.equal(isFolded(texts, 2), false);
  assert.equal(isFolded(texts, 3), true);
});

test("texts that are missing or in conflict are in view", () => {
  assert.equal(isFolded({ ...texts, isWanting: true }, null), false);
});
