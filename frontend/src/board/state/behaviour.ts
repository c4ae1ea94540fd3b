// How the responses of the generation in view behave, compared.

import { checksApi } from "../../api/checks";
import type { BehaviourReport, BehaviourView, BoardRow, MatrixRow } from "../../api/generated";
import { attempt, latest } from "../../state/attempt";
import { cell } from "../../state/cell";
import { get } from "../../state/store";
import { loadBoard } from "../../state/window";
import { loadChecks } from "./checks";

export const behaviourOf = cell<BehaviourView | null>(null);

export const loadBehaviour = (generation: number): Promise<void> =>
  latest(
    "behaviour",
    () => checksApi.behaviour(generation),
    (value) => {
      if (get().place.generation === generation) behaviourOf.set(value);
    },
  );

/** Compares the responses that pass; without checks, all that can be read. */
export const compareBehaviour = () =>
  attempt("checks", async () => {
    const { generation } = get().place;
    if (generation === null) return;
    const view = await checksApi.compare(generation);
    if (get().place.generation === generation) behaviourOf.set(view);
    await Promise.all([loadBoard(), loadChecks()]);
  });

/** Responses with identical files stand in one column: the first of them, and the others. */
export interface Column {
  readonly slot: number;
  readonly same: ReadonlyArray<number>;
}

/** A class and its columns. */
export interface ClassColumns {
  readonly letter: string;
  readonly columns: ReadonlyArray<Column>;
}

/** The columns of the matrix, class by class. `rows`: of the board, which know identical responses and accepted ones. */
export function columnsOf(report: BehaviourReport, rows: ReadonlyArray<BoardRow>): ReadonlyArray<ClassColumns> {
  const group = new Map(rows.map(({ slot, cluster }) => [slot, cluster]));
  return report.classes.map(({ letter, slots }) => {
    const columns: { slot: number; same: number[] }[] = [];
    for (const slot of slots) {
      const files = group.get(slot);
      const first = files && columns.find((column) => group.get(column.slot) === files);
      if (first) first.same.push(slot);
      else columns.push({ slot, same: [] });
    }
    return { letter, columns };
  });
}

/** Cells side by side that show the same, as one. `group` "": the probe says nothing about these. */
export interface Span {
  readonly group: string;
  readonly shows: string;
  readonly slots: ReadonlyArray<number>;
}

/** The cells of a row. Spans never cross a class, so that the grid keeps its columns. */
export function spansOf(row: MatrixRow, classes: ReadonlyArray<ClassColumns>): ReadonlyArray<Span> {
  return classes.flatMap(({ columns }) => {
    const spans: { group: string; shows: string; slots: number[] }[] = [];
    for (const { slot } of columns) {
      const found = row.cells.find((each) => each.slot === slot);
      const [group, shows] = [found?.group ?? "", found?.shows ?? ""];
      const last = spans.at(-1);
      if (last?.group === group) last.slots.push(slot);
      else spans.push({ group, shows, slots: [slot] });
    }
    return spans;
  });
}

/** Which rows of the board are folded into another: slot → the slots with the same files that stand under it. What a person marked, or accepted, is not. */
export function foldedOf(
  rows: ReadonlyArray<BoardRow>,
  marked: ReadonlySet<number>,
): ReadonlyMap<number, ReadonlyArray<number>> {
  const found = new Map<number, number[]>();
  const firsts = new Map<string, number>();
  for (const row of rows.toSorted((a, b) => a.rank - b.rank)) {
    if (row.cluster === "" || row.files.length === 0) continue;
    const key = JSON.stringify([row.cluster, row.flags, row.status]);
    const first = firsts.get(key);
    if (first === undefined) firsts.set(key, row.slot);
    else if (!marked.has(row.slot) && !row.accepted) found.set(first, [...(found.get(first) ?? []), row.slot]);
  }
  return found;
}
