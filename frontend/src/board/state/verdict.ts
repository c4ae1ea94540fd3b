// The board's recommendation: a pure function of its rows and of what the curator marked.

import type { BoardRow, Judgement } from "../../api/generated";
import { outcomeOf } from "./checkresults";

/** Why the board recommends a response. */
export interface Verdict {
  readonly slot: number;
  /** The board's own sentence. */
  readonly why: string;
  readonly isGood: boolean;
  readonly readable: number;
  readonly flags: ReadonlyArray<string>;
}

/** The best response that is not rejected; null if no response has usable files. */
export function verdictOf(rows: ReadonlyArray<BoardRow>, judgements: ReadonlyArray<Judgement>): Verdict | null {
  const rejected = new Set(judgements.filter(({ mark }) => mark === "rejected").map(({ slot }) => slot));
  const readable = rows.filter((row) => row.parse !== "failed" && row.cluster !== "");
  const best = readable.filter((row) => !rejected.has(row.slot)).toSorted((a, b) => a.rank - b.rank)[0];
  if (!best) return null;
  return {
    slot: best.slot,
    why: best.why,
    isGood: best.checks !== null && outcomeOf(best.checks) === "pass" && best.flags.length === 0 && !best.is_stale,
    readable: readable.length,
    flags: best.flags,
  };
}
