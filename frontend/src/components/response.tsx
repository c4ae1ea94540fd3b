// One response: how far it is, then the answer taken apart, its diff, or its raw text.

import { useState } from "react";
import type { BlockView, GenerationView, PlannedWrite, ReadingView, SlotProgress } from "../api/generated";
import { accept, showFacet } from "../state/actions";
import { use, type Facet } from "../state/store";
import { isActive, plural } from "../text/words";
import { Checks, Flag, Lines } from "./board";
import { Dialog } from "./dialog";
import { Diff } from "./diff";
import { ErrorLine } from "./notices";
import { Bar, Figures, SlotButtons } from "./progress";
import { RawText } from "./rawtext";
import { WriteList } from "./restore";

const FACETS: ReadonlyArray<readonly [Facet, string, string]> = [
  ["answer", "Answer", "p"],
  ["diff", "Diff", "d"],
  ["raw", "Raw", "r"],
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
          <span className="muted" title="Responses of one group lead to the same files">
            group {row.cluster}
          </span>
        )}
        {progress.version > 1 && <span className="muted">version {progress.version}</span>}
        <SlotButtons progress={progress} />
      </div>
      {progress.error && <ErrorLine error={progress.error} />}
      <div className="facets" role="group" aria-label="View">
        {FACETS.map(([name, label, key]) => (
          <button
            key={name}
            type="button"
            aria-pressed={facet === name}
            aria-keyshortcuts={key}
            disabled={name === "diff" && (reading?.files.length ?? 0) === 0}
            onClick={() => showFacet(name)}
          >
            {label}
          </button>
        ))}
      </div>
      {shown === null ? (
        <p className="empty">Loading…</p>
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
          This answer is not in the form that the prompt asked for, so its files could not be told apart.{" "}
          <button type="button" onClick={() => showFacet("raw")}>
            Show the raw text
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
      <Prose title="Summary" text={reading.summary} />
      <Prose title="Plan" text={reading.plan} />
      {reading.activity && (
        <details>
          <summary>Activity</summary>
          <p className="prose">{reading.activity}</p>
        </details>
      )}
      {reading.files.length > 0 && <AnswerFiles slot={slot} files={reading.files} />}
    </div>
  );
}

function Prose({ title, text }: { title: string; text: string }) {
  if (!text) return null;
  return (
    <section>
      <h3>{title}</h3>
      <p className="prose">{text}</p>
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
      <h3>Files</h3>
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
          {chosen.length === 0 ? "Nothing to accept" : `Accept ${plural(chosen.length, "file")}…`}
        </button>
      </div>
      <Dialog title={`Accept from response ${slot}`} isOpen={writes !== null} onClose={() => setWrites(null)}>
        <p>These files are written into the workspace. Restore puts back what is there now, to the byte.</p>
        <WriteList writes={writes ?? []} />
        {isRefused && <p className="error-line">Leave out the refused files to accept the others.</p>}
        <div className="row buttons">
          <button type="button" onClick={() => setWrites(null)}>
            Cancel
          </button>
          <button
            type="button"
            className="primary push"
            disabled={isRefused || isBusy}
            onClick={async () => {
              if (await accept(slot, chosen, false)) setWrites(null);
            }}
          >
            Write {plural(chosen.length, "file")}
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
          {isOpen ? "Hide text" : "Show text"}
        </button>
      </div>
      {isOpen && <pre className="file-text">{file.content}</pre>}
    </li>
  );
}
