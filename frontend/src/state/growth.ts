// The text of the response in view, as it grows.
//
// Text of responses that are not in view is not kept: showing one takes a snapshot of it, and what comes meanwhile waits in `late`.

import type { SlotText } from "../api/generated";
import type { LiveResponse } from "../text/livetext";
import { get } from "./store";

const MAX_LATE = 500;

let late: SlotText[] = [];

/** Appends what an event brings; false if something before it is missing, so that the response must be loaded again. */
export function grow(event: SlotText): boolean {
  const live = get().shown?.live;
  if (live === undefined) {
    late = [...late.slice(-MAX_LATE), event];
    return true;
  }
  if (event.version !== live.version) return false;
  const fits = live.thinking.append(event.thinking_offset, event.thinking);
  return live.text.append(event.text_offset, event.text) && fits;
}

/** Gives a response that has just been loaded what came while it was loading; false as for `grow`. */
export function replay(live: LiveResponse): boolean {
  const waiting = late.filter((event) => event.generation === live.generation && event.slot === live.slot);
  late = [];
  return waiting.every(grow);
}
