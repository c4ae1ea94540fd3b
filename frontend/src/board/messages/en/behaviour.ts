// How responses behave, compared: the sentence, the probes on which they differ.

import { plural } from "../../../text/plural";
import { number } from "../../../text/words";

export const behaviour = {
  none: "Behaviour has not been compared yet.",
  noneNote:
    "DCE runs small probes on every response that passes and compares the results. Without checks, it compares every response that was read with certainty.",
  compare: "Compare behaviour",
  again: "Compare again",
  stale: (why: string) => `This comparison is stale: ${why} since then.`,
  running: "Comparing…",
  caption: "Probes on which responses differ",
  probe: "Probe",
  base: "workspace",
  baseTitle: "The workspace as it is, without any response",
  class: (letter: string) => `Class ${letter}`,
  classTitle: "Responses of a class show the same on every probe",
  staleClass: "Something has changed since behaviour was compared",
  flaky: "has checks that fail now and then",
  same: (slots: ReadonlyArray<number>) => `= ${slots.join(", ")}`,
  sameTitle: (slots: ReadonlyArray<number>) => `Identical: ${slots.join(", ")}`,
  cell: (group: string, slots: ReadonlyArray<number>) =>
    `Group ${group}, ${slots.length === 1 ? "response" : "responses"} ${slots.join(", ")}: `,
  silent: "no result",
  fromOrigin: (origin: string) => `From ${origin}`,
  accepted: "accepted",
  counts: (probes: number, deciding: number, shown: number) =>
    `${plural(probes, "probe")} ran; responses differ on ${number(deciding)}${deciding > shown ? `; the ${number(shown)} most telling are shown` : ""}.`,
  leftOut: (slot: number, why: string) => `Response ${slot} is not compared: ${why}`,
  show: "Show probes",
  own: "Behaviour on the probes that tell responses apart",
  ownShows: "this response",
  mostShow: "most show",
  alike: (alike: number, of: number) => `${number(alike)} of ${number(of)} alike`,
  rank: (rank: number) => `Rank ${rank}. `,
};
