// The summary, plan and activity of an answer. An edit becomes a new version, which can be reverted.

import { useEffect, useRef } from "react";
import type { ReadingView, SlotProgress, Words } from "../api/generated";
import { correct } from "../board";
import { Markdown } from "../kit/markdown";
import { text } from "../messages";
import { use } from "../state/store";
import { useWindowState } from "../state/windowstate";

const PARTS = ["summary", "plan", "activity"] as const;

const wordsOf = ({ summary, plan, activity }: ReadingView): Words => ({ summary, plan, activity });

export function AnswerWords({ progress, reading }: { progress: SlotProgress; reading: ReadingView }) {
  const generation = use((state) => state.place.generation);
  const name = `words ${generation} ${progress.slot} ${progress.version}`;
  const [draft, setDraft] = useWindowState<Words | null>(name, null);
  if (draft !== null) return <Editor progress={progress} read={wordsOf(reading)} draft={draft} onDraft={setDraft} />;
  return (
    <>
      <section>
        <div className="row words-head">
          <h3>{text.review.summary}</h3>
          {/* An answer in no known format has no summary to edit, only its raw text. */}
          {reading.parse !== "failed" && (
            <button type="button" className="quiet small push" onClick={() => setDraft(wordsOf(reading))}>
              {text.review.editSummary}
            </button>
          )}
        </div>
        {reading.summary ? <Markdown source={reading.summary} /> : <p className="muted">{text.review.noSummary}</p>}
      </section>
      <Prose title={text.review.plan} body={reading.plan} />
      {reading.activity && (
        <details>
          <summary>{text.review.activity}</summary>
          <Markdown source={reading.activity} />
        </details>
      )}
    </>
  );
}

function Prose({ title, body }: { title: string; body: string }) {
  if (!body) return null;
  return (
    <section>
      <h3>{title}</h3>
      <Markdown source={body} />
    </section>
  );
}

interface EditorProps {
  progress: SlotProgress;
  read: Words;
  draft: Words;
  onDraft: (draft: Words | null) => void;
}

function Editor({ progress, read, draft, onDraft }: EditorProps) {
  const { slot, version } = progress;
  const isBusy = use((state) => state.busy.has(`correct ${slot}`));
  const first = useRef<HTMLTextAreaElement>(null);
  useEffect(() => first.current?.focus(), []);
  const isSame = PARTS.every((part) => draft[part].trim() === read[part]);
  return (
    <div className="correction" role="group" aria-label={text.review.editSummary}>
      {PARTS.map((part, index) => (
        <label key={part}>
          <span>{text.review[part]}</span>
          <textarea
            ref={index === 0 ? first : undefined}
            rows={part === "activity" ? 2 : 4}
            value={draft[part]}
            onChange={(event) => onDraft({ ...draft, [part]: event.target.value })}
          />
        </label>
      ))}
      <p className="muted">{text.review.editNote}</p>
      <div className="row">
        <button type="button" onClick={() => onDraft(null)}>
          {text.shell.cancel}
        </button>
        <button type="button" disabled={isSame} onClick={() => onDraft(read)}>
          {text.review.resetEdit}
        </button>
        <button
          type="button"
          className="primary push"
          disabled={isBusy || isSame}
          onClick={async () => {
            if (await correct(slot, { version, words: draft })) onDraft(null);
          }}
        >
          {text.review.saveEdit}
        </button>
      </div>
    </div>
  );
}

/** Marks a version as edited, with the button that reverts it. */
export function Corrected({ progress: { slot, version } }: { progress: SlotProgress }) {
  const isBusy = use((state) => state.busy.has(`correct ${slot}`));
  return (
    <>
      <span className="badge">{text.review.edited}</span>
      <button
        type="button"
        className="small"
        disabled={isBusy}
        title={text.review.revertTitle}
        onClick={() => correct(slot, { version })}
      >
        {text.review.revert}
      </button>
    </>
  );
}
