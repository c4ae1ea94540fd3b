// The curator's judgements of the responses, and where the responses agree.

import { errorBody } from "../../api/client";
import type { Agreement, Correction, GenerationView, Judgement } from "../../api/generated";
import { reviewApi } from "../../api/review";
import { attempt } from "../../state/attempt";
import { cell } from "../../state/cell";
import { get, notifyError, type State } from "../../state/store";
import { loadBoard, loadCycle, loadGeneration, loadSlot, loadWorkspace } from "../../state/window";

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

/** Saves run one after another, so that the last click is the last one saved. */
let saving: Promise<unknown> = Promise.resolve();
function inTurn(name: string, work: () => Promise<void>): Promise<unknown> {
  return (saving = saving.then(() => attempt(name, work)));
}

/** Saves a change to the judgement of the shown response, made from what stands when its turn comes; its other parts stay. */
export function judge(slot: number, change: (now: Judgement | undefined) => Change): Promise<unknown> {
  const { generation } = get();
  const version = generation?.slots.find((each) => each.slot === slot)?.version;
  if (!generation || version === undefined) return Promise.resolve();
  const shown = judgementIn(get(), slot);
  return inTurn(`judge ${slot}`, async () => {
    const now = get().generation?.id === generation.id ? judgementIn(get(), slot) : shown;
    // Only what changes is sent: the board in this window may be older than what is stored.
    await reviewApi.judge(generation.id, slot, { version, ...change(now) });
    await loadBoard();
  });
}

/** Makes the shown response the base of the next cycle, or no longer. */
export function toggleBase(slot: number): void {
  const { generation } = get();
  if (!generation) return;
  inTurn(`base ${slot}`, async () => {
    await reviewApi.choose(generation.id, slot, !isBaseIn(get(), generation, slot));
    await Promise.all([loadWorkspace(), loadCycle()]);
  });
}

/** Saves an edited answer as a new version; without text and words, reverts the edit. */
export const correct = (slot: number, order: Correction) =>
  attempt(`correct ${slot}`, async () => {
    const { generation } = get().place;
    if (generation === null) return false;
    await reviewApi.correct(generation, slot, order);
    await Promise.all([loadGeneration(), loadBoard(), loadSlot()]);
    return true;
  });

/** Whether a response is the base of the next cycle. */
export const isBaseIn = (state: State, generation: GenerationView, slot: number): boolean =>
  state.workspace?.cycles.some(
    (cycle) => cycle.id === generation.cycle && cycle.chosen_generation === generation.id && cycle.chosen_slot === slot,
  ) ?? false;
