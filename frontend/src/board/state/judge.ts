// A judge's advice on the responses at the top.

import type { BoardRow, Judged } from "../../api/generated";
import { judgeApi } from "../../api/judge";
import { attempt } from "../../state/attempt";
import { loadBoard } from "../../state/window";

export interface Advice {
  /** The response that beats every other one; null: the judge is unsure. */
  readonly preferred: number | null;
  /** The responses that were compared. */
  readonly slots: ReadonlyArray<number>;
  /** The model card, or the model, that judged. */
  readonly judge: string;
}

/** What the comparisons of a board add up to; null if no judge was asked. */
export function adviceOf(rows: ReadonlyArray<BoardRow>): Advice | null {
  const compared = rows
    .flatMap(({ slot, judged }): ReadonlyArray<readonly [number, Judged]> => (judged === null ? [] : [[slot, judged]]))
    .toSorted(([a], [b]) => a - b);
  const first = compared[0]?.[1];
  if (!first) return null;
  const best = compared.find(([, said]) => said.wins > 0 && said.losses === 0 && said.unsure === 0);
  return { preferred: best?.[0] ?? null, slots: compared.map(([slot]) => slot), judge: first.card || first.model };
}

/** Asks a card; null: the one that the settings name, or the generation's own. */
export const askJudge = (generation: number, card: string | null) =>
  attempt(`judge of ${generation}`, async () => {
    await judgeApi.ask(generation, { card });
    await loadBoard();
  });
