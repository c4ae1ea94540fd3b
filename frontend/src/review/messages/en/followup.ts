// Follow-ups: a new answer made from one.

import type { MadeFrom } from "../../../api/generated";

const version = (number: number) => (number > 1 ? ` (version ${number})` : "");

export const followup = {
  open: "Follow up…",
  openTitle: "Make a new answer from this one",
  title: (slot: number) => `Follow up on response ${slot}`,
  explain:
    "The model gets the same prompt, this answer and your message. The new answer becomes a further response; this one stays.",
  words: "Message",
  placeholder: "What to change, or your answer to the model’s question",
  failing: "Send what the failing checks say, and check the new answer",
  rounds: "Maximum rounds",
  roundsTitle: "Repair until an answer is repaired, at most this many times",
  other: "Fuse with",
  none: "no other response",
  response: (slot: number) => `Response ${slot}`,
  ask: "Ask",
  made: ({ kind, slot, version: from, other, other_version: otherFrom }: MadeFrom) =>
    ({
      reply: `Reply to response ${slot}${version(from)}`,
      repair: `Repair of response ${slot}${version(from)}`,
      fuse: `Fusion of responses ${slot}${version(from)} and ${other}${version(otherFrom)}`,
    })[kind],
  show: "What was asked",
  hide: "Hide",
};
