// Work that may fail: an action disables its button meanwhile, a load gives way to a later one. Errors end in a notice; nothing here throws.

import { errorBody } from "../api/client";
import { get, notifyError, set } from "./store";

/** Runs `work` under a name that disables its button meanwhile. False: it failed, and a notice says why. */
export async function attempt<T>(name: string, work: () => Promise<T>): Promise<T | false> {
  if (get().busy.has(name)) return false;
  set({ busy: new Set(get().busy).add(name) });
  try {
    return await work();
  } catch (error) {
    notifyError(errorBody(error));
    return false;
  } finally {
    const busy = new Set(get().busy);
    busy.delete(name);
    set({ busy });
  }
}

/** The latest load of each kind wins: an older result that arrives later is dropped. */
const turns = new Map<string, number>();
export async function latest<T>(kind: string, load: () => Promise<T>, use: (value: T) => void): Promise<void> {
  const turn = (turns.get(kind) ?? 0) + 1;
  turns.set(kind, turn);
  try {
    const value = await load();
    if (turns.get(kind) === turn) use(value);
  } catch (error) {
    if (turns.get(kind) === turn) notifyError(errorBody(error));
  }
}
