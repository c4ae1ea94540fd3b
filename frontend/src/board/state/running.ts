// What a person does with responses that run or have ended: stop, continue, generate again.

import { api } from "../../api/client";
import { attempt } from "../../state/attempt";
import { get } from "../../state/store";
import { loadGeneration, loadSlot } from "../../state/window";

export const stop = (slot: number) => onGeneration(`stop ${slot}`, (id) => api.stop(id, slot));
export const stopAll = () => onGeneration("stop", (id) => api.stopAll(id));
export const regenerate = (slot: number) =>
  onGeneration(`regenerate ${slot}`, (id) => api.regenerate(id, { slots: [slot] }));

export const regenerateSlots = (slots: ReadonlyArray<number>) =>
  onGeneration("again", (id) => api.regenerate(id, { slots }));
/** Continues a response where it was cut off, as its next version. */
export const continueResponse = (slot: number) =>
  onGeneration(`continue ${slot}`, (id) => api.continueResponse(id, slot));

function onGeneration(name: string, work: (id: number) => Promise<unknown>): Promise<unknown> {
  const { generation } = get().place;
  return generation === null
    ? Promise.resolve()
    : attempt(name, async () => {
        await work(generation);
        await Promise.all([loadGeneration(), loadSlot()]);
      });
}
