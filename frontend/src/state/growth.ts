// The text of the response in view, as it streams in.
//
// The text of other responses is not stored: showing one loads a snapshot, and events that arrive meanwhile wait in `late`.

import type { SlotText } from "../api/generated";
import type { LiveResponse } from "./livetext";
import { get } from "./store";

const MAX_LATE = 500;

let late: SlotText[] = [];

/** Appends the text of an event. False: something before it is missing, so the response must be reloaded. */
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

/** Appends what arrived while the response was loading. False: as for `grow`. */
export function replay(live: LiveResponse): boolean {
  const waiting = late.filter((event) => event.generation === live.generation && event.slot === live.slot);
  late = [];
  return waiting.every(grow);
}
