// Follow-ups: a new answer made from one that is there.

import { followUpApi } from "../../api/followup";
import type { BoardRow, FollowUpRequest, GenerationView, SlotProgress } from "../../api/generated";
import { attempt } from "../../state/attempt";
import { get } from "../../state/store";
import { goTo, loadBoard, loadGeneration } from "../../state/window";
import { isActive } from "../../text/words";

/** Most rounds of repair that the dialog offers; the panel's server allows more. */
export const MAX_ROUNDS = 5;

/** Whether a repair has something to send: a check fails with the response, or a test no longer runs. */
export const isBroken = (row: BoardRow | undefined): boolean =>
  (row?.checks?.failed ?? 0) + (row?.checks?.new_failures ?? 0) > 0;

/** The responses that a response can be fused with. */
export const othersOf = (generation: GenerationView, slot: number): ReadonlyArray<SlotProgress> =>
  generation.slots.filter((each) => each.slot !== slot && !isActive(each) && each.tokens.answer > 0);

/** Whether there is something to ask. */
export const isAsking = ({ words = "", is_failing: isFailing = false, other = null }: FollowUpRequest): boolean =>
  words.trim() !== "" || isFailing || other !== null;

/** Makes the new answer and shows it. Returns whether it began. */
export const followUp = (slot: number, order: FollowUpRequest): Promise<boolean> =>
  attempt(`follow-up ${slot}`, async () => {
    const { generation } = get().place;
    if (generation === null) return false;
    const before = new Set(get().generation?.slots.map((each) => each.slot));
    const view = await followUpApi.ask(generation, slot, order);
    await Promise.all([loadGeneration(), loadBoard()]);
    const made = view.slots.find((each) => !before.has(each.slot));
    if (made && get().place.generation === generation) goTo(made.slot);
    return true;
  });
