// What a person thinks of the responses, and where these agree.

import { errorBody } from "../api/client";
import { reviewApi } from "../api/review";
import type { Agreement, BoardRow, Correction, GenerationView, Judgement } from "../api/generated";
import { attempt, loadBoard, loadCycle, loadGeneration, loadSlot, loadWorkspace } from "./actions";
import { cell } from "./cell";
import { get, notifyError, type State } from "./store";

export const agreementOf = cell<{ readonly generation: number; readonly value: Agreement } | null>(null);

export async function loadAgreement(generation: number): Promise<void> {
  try {
    const value = await reviewApi.agreement(generation);
    if (get().place.generation === generation) agreementOf.set({ generation, value });
  } catch (error) {
    notifyError(errorBody(error));
  }
}

export const judgementIn = (state: State, slot: number): Judgement | undefined =>
  state.board?.judgements.find((each) => each.slot === slot);

type Change = Partial<Pick<Judgement, "mark" | "rating" | "note">>;

/** Changes are kept one after the other, each on what the one before left: a note must not be lost to a click. */
let keeping: Promise<unknown> = Promise.resolve();

/** Keeps a change of what is thought of a response; the rest of it stays. */
export function judge(slot: number, change: Change): Promise<unknown> {
  keeping = keeping.then(() => attempt(`judge ${slot}`, () => keep(slot, change)));
  return keeping;
}

async function keep(slot: number, change: Change): Promise<void> {
  const { generation } = get();
  const version = generation?.slots.find((each) => each.slot === slot)?.version;
  if (!generation || version === undefined) return;
  const { mark = "", rating = 0, note = "" } = { ...judgementIn(get(), slot), ...change };
  await reviewApi.judge(generation.id, slot, { version, mark, rating, note });
  await loadBoard();
}

export const chooseBase = (slot: number, isBase: boolean) =>
  attempt(`base ${slot}`, async () => {
    const { generation } = get().place;
    if (generation === null) return;
    await reviewApi.choose(generation, slot, isBase);
    await Promise.all([loadWorkspace(), loadCycle()]);
  });

/** Keeps what was put right as a version of its own; with neither text nor words, takes it back. */
export const correct = (slot: number, order: Correction) =>
  attempt(`correct ${slot}`, async () => {
    const { generation } = get().place;
    if (generation === null) return false;
    await reviewApi.correct(generation, slot, order);
    await Promise.all([loadGeneration(), loadBoard(), loadSlot()]);
    return true;
  });

/** Why the board would take one response first. */
export interface Verdict {
  readonly slot: number;
  readonly checks: "pass" | "fail" | "none";
  readonly passed: number;
  readonly failed: number;
  readonly group: string;
  /** Others that come to the same files. */
  readonly agreeing: number;
  readonly readable: number;
  readonly flags: ReadonlyArray<string>;
}

/** The best response that nobody rejected; null while nothing can be said. */
export function verdictOf(rows: ReadonlyArray<BoardRow>, judgements: ReadonlyArray<Judgement>): Verdict | null {
  const rejected = new Set(judgements.filter(({ mark }) => mark === "rejected").map(({ slot }) => slot));
  const readable = rows.filter((row) => row.parse !== "failed" && row.cluster !== "");
  const best = readable.filter((row) => !rejected.has(row.slot)).toSorted((a, b) => a.rank - b.rank)[0];
  if (!best) return null;
  const { checks } = best;
  return {
    slot: best.slot,
    checks: checks === null ? "none" : checks.failed === 0 ? "pass" : "fail",
    passed: checks?.passed ?? 0,
    failed: checks?.failed ?? 0,
    group: best.cluster,
    agreeing: readable.filter((row) => row.cluster === best.cluster).length - 1,
    readable: readable.length,
    flags: best.flags,
  };
}

/** Whether a response is what the next cycle starts from. */
export const isBaseIn = (state: State, generation: GenerationView, slot: number): boolean =>
  state.workspace?.cycles.some(
    (cycle) => cycle.id === generation.cycle && cycle.chosen_generation === generation.id && cycle.chosen_slot === slot,
  ) ?? false;
