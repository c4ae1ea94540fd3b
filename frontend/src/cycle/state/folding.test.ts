import { expect, test } from "vitest";
import { isFolded } from "./folding";

const texts = { cycle: 2, hasResponses: true, isWanting: false };

test("texts are folded once there are responses, and not before", () => {
  expect(isFolded(texts, null)).toBe(true);
  expect(isFolded({ ...texts, hasResponses: false }, null)).toBe(false);
});

test("what the curator opened stays open, and only of that cycle", () => {
  expect(isFolded(texts, 2)).toBe(false);
  expect(isFolded(texts, 3)).toBe(true);
});

test("texts that are missing or in conflict are in view", () => {
  expect(isFolded({ ...texts, isWanting: true }, null)).toBe(false);
});
