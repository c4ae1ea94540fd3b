import { expect, test } from "vitest";
import type { Hunk } from "../../api/generated";
import { type Plan, pickedOf, withChoice, withPicked } from "./picks";

const hunk = (number: number, changed: number): Hunk => ({
  number,
  old_start: 1,
  new_start: 1,
  added: changed,
  removed: 0,
  lines: [
    { sign: " ", text: "a\n", number: 0 },
    ...Array.from({ length: changed }, (_, at) => ({ sign: "+" as const, text: "b\n", number: at + 1 })),
  ],
});
const HUNKS = [hunk(1, 2), hunk(2, 3)];
const some = (...pairs: [number, number[]][]) => new Map(pairs.map(([number, lines]) => [number, new Set(lines)]));

test("hunks and lines are said as the panel takes them, all of them as the whole file", () => {
  expect(withPicked([], "a", 2, some([1, [1, 2]], [2, [1, 3]]), HUNKS)[0]?.picks).toStrictEqual([
    { slot: 2, hunks: ["1", "2:1,3"] },
  ]);
  expect(withPicked([], "a", 2, some([1, [1, 2]], [2, [1, 2, 3]]), HUNKS)[0]?.picks).toStrictEqual([
    { slot: 2, hunks: [] },
  ]);
  expect(withPicked([], "a", 2, some([1, []]), HUNKS)).toStrictEqual([]);
});

test("what is picked reads back as it was", () => {
  const plan = withPicked([], "a", 2, some([2, [1, 3]]), HUNKS);
  expect(pickedOf(plan, "a", 2, HUNKS)).toStrictEqual(some([2, [1, 3]]));
  expect(pickedOf(plan, "a", 3, HUNKS)).toBe("none");
  expect(pickedOf(withPicked([], "a", 2, "all", HUNKS), "a", 2, HUNKS)).toBe("all");
});

test("several responses keep their order in a file, and an emptied file goes", () => {
  let plan: Plan = withPicked([], "a", 2, "all", HUNKS);
  plan = withPicked(plan, "a", 5, some([1, [1, 2]]), HUNKS);
  plan = withPicked(plan, "a", 2, some([1, [1, 2]]), HUNKS);
  expect(plan[0]?.picks).toStrictEqual([
    { slot: 2, hunks: ["1"] },
    { slot: 5, hunks: ["1"] },
  ]);
  plan = withPicked(withPicked(plan, "a", 2, "none", HUNKS), "a", 5, "none", HUNKS);
  expect(plan).toStrictEqual([]);
});

test("a choice is for its conflict, and a change of what is picked forgets it", () => {
  const plan = withChoice(withPicked([], "a", 2, "all", HUNKS), "a", 1, "both");
  expect(plan[0]?.choices).toStrictEqual(["", "both"]);
  expect(withPicked(plan, "a", 3, "all", HUNKS)[0]?.choices).toStrictEqual([]);
});
