// A judge's advice beside the ranking, and the button that asks for it.

import { useState } from "react";
import type { BoardRow } from "../api/generated";
import { text } from "../messages";
import { use } from "../state/store";
import { adviceOf, askJudge } from "./state/judge";

export function JudgeLine({ generation, rows }: { generation: number; rows: ReadonlyArray<BoardRow> }) {
  const cards = (use((state) => state.settings?.cards) ?? []).filter((each) => each.provider !== "manual");
  const isBusy = use((state) => state.busy.has(`judge of ${generation}`));
  const [card, setCard] = useState("");
  const advice = adviceOf(rows);
  if (rows.filter((row) => row.files.length > 0).length < 2) return null;
  return (
    <div className="row judge-line">
      {advice && (
        <span>
          {advice.preferred === null
            ? text.judge.unsure(advice.judge, advice.slots)
            : text.judge.prefers(advice.judge, advice.preferred, advice.slots)}
        </span>
      )}
      <span className="row push">
        {cards.length > 0 && (
          <select aria-label={text.judge.card} value={card} onChange={(event) => setCard(event.target.value)}>
            <option value="">{text.judge.own}</option>
            {cards.map((each) => (
              <option key={each.name} value={each.name}>
                {each.name}
              </option>
            ))}
          </select>
        )}
        <button
          type="button"
          className="small"
          title={text.judge.askTitle}
          disabled={isBusy}
          onClick={() => askJudge(generation, card || null)}
        >
          {isBusy ? text.judge.asking : text.judge.ask}
        </button>
      </span>
    </div>
  );
}
