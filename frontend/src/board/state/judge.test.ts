// What a judge's comparisons add up to.

import { expect, test } from "vitest";
import type { BoardRow } from "../../api/generated";
import { adviceOf } from "./judge";

const row = (slot: number, said: readonly [number, number, number] | null): BoardRow =>
  ({
    slot,
    judged: said && { wins: said[0], losses: said[1], unsure: said[2], card: "", model: "m" },
  }) as unknown as BoardRow;

test("without a judge there is no advice", () => {
  expect(adviceOf([row(1, null), row(2, null)])).toBe(null);
});

test("a response is preferred only if it beats every other one", () => {
  expect(adviceOf([row(3, [2, 0, 0]), row(1, [0, 2, 0]), row(2, [1, 1, 0]), row(4, null)])).toStrictEqual({
    preferred: 3,
    slots: [1, 2, 3],
    judge: "m",
  });
  expect(adviceOf([row(1, [1, 1, 0]), row(2, [1, 1, 0]), row(3, [1, 1, 0])])?.preferred).toBe(null);
  expect(adviceOf([row(1, [1, 0, 1]), row(2, [0, 0, 2]), row(3, [0, 1, 1])])?.preferred).toBe(null);
});
