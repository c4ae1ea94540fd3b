import { expect, test } from "vitest";
import type { BehaviourReport, BoardRow, MatrixRow } from "../../api/generated";
import { rowOf } from "../../testing/samples";
import { columnsOf, foldedOf, spansOf } from "./behaviour";

const row = (slot: number, cluster: string, change: Partial<BoardRow> = {}): BoardRow =>
  rowOf({ slot, cluster, rank: slot, ...change });
const report = (classes: BehaviourReport["classes"]): BehaviourReport => ({
  sentence: "",
  compared: [],
  among: "that pass",
  classes,
  support: [],
  probes: 1,
  deciding: 1,
  matrix: [],
  left_out: [],
  languages: [],
  note: "",
});
const probe = (cells: MatrixRow["cells"]): MatrixRow => ({ probe: "f(0)", origin: "", base: "", cells });

test("identical responses share a column of their class", () => {
  const classes = columnsOf(
    report([
      { letter: "A", slots: [1, 3, 4] },
      { letter: "B", slots: [2] },
    ]),
    [row(1, "A"), row(2, "B"), row(3, "C"), row(4, "A")],
  );
  expect(classes).toStrictEqual([
    {
      letter: "A",
      columns: [
        { slot: 1, same: [4] },
        { slot: 3, same: [] },
      ],
    },
    { letter: "B", columns: [{ slot: 2, same: [] }] },
  ]);
});

test("cells that show the same are one, but never across classes", () => {
  const classes = [
    {
      letter: "A",
      columns: [
        { slot: 1, same: [] },
        { slot: 3, same: [] },
      ],
    },
    { letter: "B", columns: [{ slot: 2, same: [] }] },
    { letter: "C", columns: [{ slot: 5, same: [] }] },
  ];
  const spans = spansOf(
    probe([
      { slot: 1, shows: "0", group: "A" },
      { slot: 2, shows: "0", group: "A" },
      { slot: 3, shows: "0", group: "A" },
    ]),
    classes,
  );
  expect(spans.map(({ group, slots }) => [group, slots])).toStrictEqual([
    ["A", [1, 3]],
    ["A", [2]],
    ["", [5]],
  ]);
});

test("identical responses fold under the best of them, unless they are marked, accepted or read otherwise", () => {
  const rows = [
    row(1, "A", { rank: 2 }),
    row(2, "A", { rank: 1 }),
    row(3, "A"),
    row(4, "A", { accepted: true }),
    row(5, "B"),
    row(6, ""),
  ];
  expect([...foldedOf(rows, new Set())]).toStrictEqual([[2, [1, 3]]]);
  expect([...foldedOf(rows, new Set([3]))]).toStrictEqual([[2, [1]]]);
  expect([...foldedOf([row(1, "A"), row(2, "A", { flags: ["truncated"] })], new Set())]).toStrictEqual([]);
});
