// The board: a row for each response, in the order of the ranking.

import { fireEvent, render, screen, within } from "@testing-library/react";
import { expect, test } from "vitest";
import type { BoardRow, SlotProgress } from "../api/generated";
import { text } from "../messages";
import { NOWHERE } from "../state/place";
import { get, set } from "../state/store";
import { panelWith } from "../testing/panel";
import { countOf, generationOf, progressOf, rowOf } from "../testing/samples";
import { Board } from "./board";

/** The board over these responses. */
function show(slots: ReadonlyArray<SlotProgress>, rows: ReadonlyArray<BoardRow>, isChecking = false) {
  const generation = generationOf(slots);
  set({
    place: { ...NOWHERE, cycle: 1, generation: 1 },
    generation,
    board: { generation: 1, rows, judgements: [], is_checking: isChecking },
  });
  render(<Board generation={generation} />);
}

const rowAt = (slot: number) =>
  screen.getByRole("rowheader", { name: new RegExp(`^Open response ${slot} `) }).closest("tr") as HTMLTableRowElement;

test("a row says how its response ended, what it changes and what its checks came to", () => {
  show([progressOf()], [rowOf({ checks: countOf({ failed: 2, new_failures: 2 }), why: "changes `words.py` only" })]);
  const row = within(rowAt(1));
  expect(row.getByText(text.progress.status("complete"))).toBeTruthy();
  expect(row.getByText("src/words.py")).toBeTruthy();
  expect(row.getByText("+4")).toBeTruthy();
  expect(row.getByText("−1")).toBeTruthy();
  expect(row.getByTitle(text.board.openChecks(1)).textContent).toContain(text.board.fail(2, 3));
  expect(row.getByText("words.py").tagName).toBe("CODE");
});

test("the best response comes first, and one without usable files says so", () => {
  show(
    [progressOf(), progressOf({ slot: 2 }), progressOf({ slot: 3 })],
    [
      rowOf({ rank: 2 }),
      rowOf({ slot: 2, rank: 3, parse: "failed", cluster: "", files: [] }),
      rowOf({ slot: 3, rank: 1, cluster: "B" }),
    ],
  );
  const order = screen.getAllByRole("row").flatMap((row) => row.querySelector("th b")?.textContent ?? []);
  expect(order).toStrictEqual(["3", "1", "2"]);
  expect(within(rowAt(2)).getByText(text.board.unreadable)).toBeTruthy();
});

test("a response that runs keeps its place and shows no verdict of an earlier version", () => {
  show(
    [progressOf({ status: "generating" }), progressOf({ slot: 2 })],
    [rowOf({ rank: 2, checks: countOf() }), rowOf({ slot: 2, rank: 1, checks: countOf() })],
  );
  const order = screen.getAllByRole("row").flatMap((row) => row.querySelector("th b")?.textContent ?? []);
  expect(order).toStrictEqual(["1", "2"]);
  expect(within(rowAt(1)).queryByTitle(text.board.openChecks(1))).toBeNull();
});

test("a row's checks lead to the checks of its response", () => {
  panelWith({
    "GET /api/generations/1/slots/1": () => ({
      gives: { progress: progressOf(), thinking: "", text: "", reading: null },
    }),
  });
  show([progressOf()], [rowOf({ checks: countOf() })]);
  fireEvent.click(within(rowAt(1)).getByTitle(text.board.openChecks(1)));
  expect(get().place).toMatchObject({ slot: 1, facet: "checks" });
});
