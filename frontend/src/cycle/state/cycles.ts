// Moving between cycles: what is not saved yet is saved on the way.

import { get } from "../../state/store";
import { chooseCycle } from "../../state/window";
import { flush } from "./draft";

export function toCycle(id: number): void {
  void flush();
  chooseCycle(id);
}

/** The cycle before (-1) or after (1) the one in view; undefined at the end of the list. */
export function cycleBeside(by: -1 | 1): number | undefined {
  const cycles = get().workspace?.cycles ?? [];
  const at = cycles.findIndex(({ id }) => id === get().place.cycle);
  return at < 0 ? undefined : cycles[at + by]?.id;
}

export function stepCycle(by: -1 | 1): void {
  const next = cycleBeside(by);
  if (next !== undefined) toCycle(next);
}
