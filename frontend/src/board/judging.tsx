// The curator's judgement of a response: mark, rating and note, and whether the next cycle starts from it.

import { useState } from "react";
import type { GenerationView, Judgement } from "../api/generated";
import { Check, Cross, Icon } from "../kit/icons";
import { text } from "../messages";
import { use } from "../state/store";
import { isBaseIn, judge, judgementIn, toggleBase } from "./state/judging";

const MARKS = ["shortlisted", "rejected"] as const;
const RATINGS = [1, 2, 3, 4, 5];

export function Star({ isOn }: { isOn: boolean }) {
  return (
    <Icon className={isOn ? "star is-on" : "star"}>
      <path d="m8 2.2 1.8 3.7 4 .6-2.9 2.8.7 4L8 11.4l-3.6 1.9.7-4L2.2 6.5l4-.6z" />
    </Icon>
  );
}

/** The judgement in a row of the board. */
export function JudgedAs({ judgement }: { judgement: Judgement }) {
  const { mark, rating, note } = judgement;
  return (
    <span className="judged-as" title={note}>
      {mark && (
        <span className={`mark is-${mark}`}>
          {mark === "rejected" ? <Cross /> : <Check />}
          {text.board.marks[mark]}
        </span>
      )}
      {rating > 0 && (
        <span className="stars">
          <Star isOn /> {rating}
          <span className="hidden"> {text.board.rated(rating)}</span>
        </span>
      )}
      {note && <span className="muted note-start">{note}</span>}
    </span>
  );
}

/** Its buttons stay enabled while a save runs: leaving the note saves it, and the click that left it must count too. */
export function JudgeBar({ generation, slot }: { generation: GenerationView; slot: number }) {
  const judgement = use((state) => judgementIn(state, slot));
  const isBase = use((state) => isBaseIn(state, generation, slot));
  const isBusy = use((state) => state.busy.has(`judge ${slot}`) || state.busy.has(`base ${slot}`));
  const version = generation.slots.find((each) => each.slot === slot)?.version;
  const mark = judgement?.mark ?? "";
  const rating = judgement?.rating ?? 0;
  return (
    <div className="row judge-bar" role="group" aria-label={text.review.judgement} aria-busy={isBusy}>
      {MARKS.map((each) => (
        <button
          key={each}
          type="button"
          className={`small mark-button is-${each}`}
          aria-pressed={mark === each}
          onClick={() => judge(slot, (now) => ({ mark: now?.mark === each ? "" : each }))}
        >
          {each === "rejected" ? <Cross /> : <Check />}
          {text.review.mark[each]}
        </button>
      ))}
      <span className="stars" role="group" aria-label={text.review.rating}>
        {RATINGS.map((each) => (
          <button
            key={each}
            type="button"
            className="quiet small star-button"
            aria-label={text.review.rate(each)}
            aria-pressed={rating === each}
            onClick={() => judge(slot, (now) => ({ rating: now?.rating === each ? 0 : each }))}
          >
            <Star isOn={each <= rating} />
          </button>
        ))}
      </span>
      <button
        type="button"
        className="small"
        aria-pressed={isBase}
        title={text.review.baseTitle}
        onClick={() => toggleBase(slot)}
      >
        {text.review.base}
      </button>
      <Note key={`${generation.id} ${slot} ${version}`} slot={slot} kept={judgement?.note ?? ""} />
    </div>
  );
}

/** Saved on blur. Shows what another window wrote, unless something is being typed here. */
function Note({ slot, kept }: { slot: number; kept: string }) {
  const [draft, setDraft] = useState<string | null>(null);
  return (
    <textarea
      className="note-text"
      rows={1}
      aria-label={text.review.note}
      placeholder={text.review.note}
      value={draft ?? kept}
      onChange={(event) => setDraft(event.target.value)}
      onBlur={async () => {
        if (draft !== null && draft !== kept) await judge(slot, () => ({ note: draft }));
        setDraft(null);
      }}
    />
  );
}
