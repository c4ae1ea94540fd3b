// One response: how far it is, then the answer taken apart, its diff, or its raw text.

import { useState } from "react";
import type { BlockView, GenerationView, PlannedWrite, ReadingView, SlotProgress } from "../api/generated";
import { accept, showFacet } from "../state/actions";
import type { Facet } from "../state/place";
import { use } from "../state/store";
import { isActive } from "../text/words";
import { text } from "../text/messages";
import { Checks, Flag, Lines } from "./board";
import { Dialog } from "./dialog";
import { Diff } from "./diff";
import { Markdown } from "./markdown";
import { ErrorLine } from "./notices";
import { Bar, Figures, SlotButtons } from "./progress";
import { RawText } from "./rawtext";
import { WriteList } from "./restore";

const FACETS: ReadonlyArray<readonly [Facet, string]> = [
  ["answer", "p"],
  ["diff", "d"],
  ["raw", "r"],
];

export function ResponsePanel({ generation, progress }: { generation: GenerationView; progress: SlotProgress }) {
  const shown = use((state) => state.shown);
  const facet = use((state) => state.place.facet);
  const row = use((state) => state.board?.rows.find((each) => each.slot === progress.slot));
  const reading = shown?.reading ?? null;
  return (
    <div className="response">
      <div className="row progress-row">
        <span className={`state status-${progress.status}`}>{progress.status}</span>
        <Bar progress={progress} generation={generation} />
        <Figures progress={progress} />
        {row?.checks && <Checks checks={row.checks} />}
        {row?.cluster && (
          <span className="muted" title={text.review.groupTitle}>
            {text.review.group(row.cluster)}
          </span>
        )}
        {progress.version > 1 && <span className="muted">{text.review.version(progress.version)}</span>}
        <SlotButtons progress={progress} />
      </div>
      {progress.error && <ErrorLine error={progress.error} />}
      <div className="facets" role="group" aria-label={text.review.view}>
        {FACETS.map(([name, key]) => (
          <button
            key={name}
            type="button"
            aria-pressed={facet === name}
            aria-keyshortcuts={key}
            disabled={name === "diff" && (reading?.files.length ?? 0) === 0}
            onClick={() => showFacet(name)}
          >
            {text.review.facets[name]}
          </button>
        ))}
      </div>
      {shown === null ? (
        <p className="empty">{text.shell.loading}</p>
      ) : facet === "raw" || reading === null ? (
        <RawText live={shown.live} isActive={isActive(progress)} />
      ) : facet === "diff" && reading.files.length > 0 ? (
        <Diff generation={generation} slot={progress.slot} files={reading.files} />
      ) : (
        <Answer key={`${progress.slot} ${progress.version}`} slot={progress.slot} reading={reading} />
      )}
    </div>
  );
}

function Answer({ slot, reading }: { slot: number; reading: ReadingView }) {
  return (
    <div className="answer">
      {reading.parse === "failed" && (
        <p className="banner">
          {text.review.parseFailed}{" "}
          <button type="button" onClick={() => showFacet("raw")}>
            {text.review.showRaw}
          </button>
        </p>
      )}
      {(reading.flags.length > 0 || reading.notes.length > 0) && (
        <div className="notes">
          {reading.flags.map((flag) => (
            <Flag key={flag} flag={flag} />
          ))}
          {reading.notes.map((note) => (
            <p key={note} className="muted">
              {note}
            </p>
          ))}
        </div>
      )}
      <Prose title={text.review.summary} body={reading.summary} />
      <Prose title={text.review.plan} body={reading.plan} />
      {reading.activity && (
        <details>
          <summary>{text.review.activity}</summary>
          <Markdown source={reading.activity} />
        </details>
      )}
      {reading.files.length > 0 && <AnswerFiles slot={slot} files={reading.files} />}
    </div>
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

const canWrite = (file: BlockView) => file.change !== "same" && !file.flags.includes("outside_workspace");

function AnswerFiles({ slot, files }: { slot: number; files: ReadonlyArray<BlockView> }) {
  const isBusy = use((state) => state.busy.has("accept"));
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [writes, setWrites] = useState<ReadonlyArray<PlannedWrite> | null>(null);
  const chosen = files.filter((file) => canWrite(file) && !left.has(file.path)).map((file) => file.path);
  const toggle = (path: string) => {
    const next = new Set(left);
    if (!next.delete(path)) next.add(path);
    setLeft(next);
  };
  const preview = async () => {
    const view = await accept(slot, chosen, true);
    if (view) setWrites(view.writes);
  };
  const isRefused = writes?.some((write) => write.refused) ?? false;
  return (
    <section>
      <h3>{text.review.files}</h3>
      <ul className="answer-files">
        {files.map((file) => (
          <AnswerFile
            key={file.path}
            file={file}
            isChosen={canWrite(file) && !left.has(file.path)}
            onToggle={() => toggle(file.path)}
          />
        ))}
      </ul>
      <div className="row">
        <button type="button" id="accept" className="primary" disabled={chosen.length === 0 || isBusy} onClick={preview} aria-keyshortcuts="a">
          {chosen.length === 0 ? text.accept.nothing : text.accept.accept(chosen.length)}
        </button>
      </div>
      <Dialog title={text.accept.title(slot)} isOpen={writes !== null} onClose={() => setWrites(null)}>
        <p>{text.accept.explain}</p>
        <WriteList writes={writes ?? []} />
        {isRefused && <p className="error-line">{text.accept.leaveOut}</p>}
        <div className="row buttons">
          <button type="button" onClick={() => setWrites(null)}>
            {text.shell.cancel}
          </button>
          <button
            type="button"
            className="primary push"
            disabled={isRefused || isBusy}
            onClick={async () => {
              if (await accept(slot, chosen, false)) setWrites(null);
            }}
          >
            {text.accept.write(chosen.length)}
          </button>
        </div>
      </Dialog>
    </section>
  );
}

function AnswerFile({ file, isChosen, onToggle }: { file: BlockView; isChosen: boolean; onToggle: () => void }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <li>
      <div className="row">
        <label className="file-choice">
          <input type="checkbox" checked={isChosen} disabled={!canWrite(file)} onChange={onToggle} />
          <span className="path">{file.path}</span>
        </label>
        <Lines change={file.change} added={file.added} removed={file.removed} />
        {file.status !== "complete" && <span className="flag">{file.status}</span>}
        {file.flags.map((flag) => (
          <Flag key={flag} flag={flag} />
        ))}
        <button type="button" className="quiet push" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {isOpen ? text.review.hideText : text.review.showText}
        </button>
      </div>
      {isOpen && <pre className="file-text">{file.content}</pre>}
    </li>
  );
}
