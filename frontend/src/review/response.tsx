// One response: its progress, then the parsed answer, its diff, picks or raw text.

import { useState } from "react";
import { accept, WriteDialog } from "../accept";
import type { BlockView, Doubt, GenerationView, PlannedWrite, ReadingView, SlotProgress } from "../api/generated";
import { Bar, Checks, correct, Figures, JudgeBar, ResponseChecksPanel, SlotButtons } from "../board";
import { ErrorLine } from "../kit/errorline";
import { Flag } from "../kit/flag";
import { Lines } from "../kit/lines";
import { Rich } from "../kit/rich";
import { text } from "../messages";
import type { LiveResponse } from "../state/livetext";
import { useOffer } from "../state/offers";
import type { Facet } from "../state/place";
import { use } from "../state/store";
import { openPane, showFacet } from "../state/window";
import { useWindowState } from "../state/windowstate";
import { isActive } from "../text/words";
import { AnswerWords, Corrected } from "./answerwords";
import { Diff } from "./diff";
import { FollowUp, MadeFromLine } from "./followup";
import { Picker } from "./pick";
import { RawText } from "./rawtext";

const FACETS: ReadonlyArray<readonly [Facet, string]> = [
  ["answer", "p"],
  ["diff", "d"],
  ["checks", "t"],
  ["pick", "l"],
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
        <span className={`state status-${progress.status}`}>{text.progress.status(progress.status)}</span>
        <Bar progress={progress} generation={generation} />
        <Figures progress={progress} />
        {row?.checks && <Checks checks={row.checks} slot={progress.slot} />}
        {row?.class ? (
          <span className="muted" title={text.board.classTitle}>
            {text.behaviour.class(row.class)}
          </span>
        ) : (
          row?.cluster && (
            <span className="muted" title={text.review.groupTitle}>
              {text.review.group(row.cluster)}
            </span>
          )
        )}
        {row?.accepted && <span className="badge">{text.board.accepted}</span>}
        {progress.version > 1 && <Versions generation={generation} progress={progress} />}
        {progress.finish_reason === "corrected" && <Corrected progress={progress} />}
        <SlotButtons progress={progress} />
        {!isActive(progress) && (
          <FollowUp key={`${generation.id} ${progress.slot}`} generation={generation} progress={progress} row={row} />
        )}
      </div>
      {row?.made_from && (
        <MadeFromLine
          key={`made ${generation.id} ${progress.slot}`}
          generation={generation.id}
          slot={progress.slot}
          made={row.made_from}
        />
      )}
      {row?.why && !isActive(progress) && (
        <p className="muted">
          {text.behaviour.rank(row.rank)}
          <Rich text={row.why} />
        </p>
      )}
      {progress.error && <ErrorLine error={progress.error} />}
      {!isActive(progress) && <JudgeBar generation={generation} slot={progress.slot} />}
      <div className="facets" role="group" aria-label={text.review.view}>
        {FACETS.map(([name, key]) => (
          <button
            key={name}
            type="button"
            aria-pressed={facet === name}
            aria-keyshortcuts={key}
            disabled={(name === "diff" || name === "pick") && (reading?.files.length ?? 0) === 0}
            onClick={() => showFacet(name)}
          >
            {text.review.facets[name]}
          </button>
        ))}
      </div>
      {facet === "checks" ? (
        <ResponseChecksPanel generation={generation.id} progress={progress} row={row} />
      ) : shown === null ? (
        <p className="empty">{text.shell.loading}</p>
      ) : facet === "raw" || reading === null ? (
        <Raw key={`${progress.slot} ${progress.version}`} live={shown.live} progress={progress} />
      ) : facet === "pick" && reading.files.length > 0 ? (
        <Picker key={progress.slot} generation={generation.id} slot={progress.slot} files={reading.files} />
      ) : facet === "diff" && reading.files.length > 0 ? (
        <Diff generation={generation} slot={progress.slot} files={reading.files} />
      ) : (
        <Answer key={`${progress.slot} ${progress.version}`} progress={progress} reading={reading} />
      )}
    </div>
  );
}

function Answer({ progress, reading }: { progress: SlotProgress; reading: ReadingView }) {
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
      {(flagsOf(reading).size > 0 || reading.notes.length > 0) && (
        <div className="notes">
          <Reasons reading={reading} />
          {reading.notes.map((note) => (
            <p key={note} className="muted">
              {note}
            </p>
          ))}
        </div>
      )}
      <AnswerWords progress={progress} reading={reading} />
      {reading.files.length > 0 && <AnswerFiles slot={progress.slot} files={reading.files} />}
    </div>
  );
}

/** Every flag of the answer and of its files, with the paths it applies to. */
function flagsOf(reading: ReadingView): ReadonlyMap<string, ReadonlyArray<string>> {
  const found = new Map<string, string[]>(reading.flags.map((flag) => [flag, []]));
  for (const file of reading.files)
    for (const flag of file.flags) found.set(flag, [...(found.get(flag) ?? []), file.path]);
  return found;
}

function Reasons({ reading }: { reading: ReadingView }) {
  return (
    <ul className="reasons">
      {[...flagsOf(reading)].map(([flag, paths]) => (
        <li key={flag}>
          <Flag flag={flag} /> {text.flags.meaning(flag)}
          {paths.length > 0 && <span className="path"> {paths.join(", ")}</span>}
        </li>
      ))}
    </ul>
  );
}

/** What says which texts DCE may read and send is written only if a person chooses it. */
const isOwnPolicy = (path: string) => /(^|\/)\.dce(allow|ignore)$/i.test(path);

const canWrite = (file: BlockView) => file.change !== "same" && !file.flags.includes("outside_workspace");

function AnswerFiles({ slot, files }: { slot: number; files: ReadonlyArray<BlockView> }) {
  const isBusy = use((state) => state.busy.has("accept"));
  const [left, setLeft] = useState<ReadonlySet<string>>(
    () => new Set(files.map((file) => file.path).filter(isOwnPolicy)),
  );
  const [writes, setWrites] = useState<ReadonlyArray<PlannedWrite> | null>(null);
  const [isMerging, setMerging] = useState(false);
  const [doubts, setDoubts] = useState<ReadonlyArray<Doubt>>([]);
  const [confirmed, setConfirmed] = useState<ReadonlyArray<string>>([]);
  const chosen = files.filter((file) => canWrite(file) && !left.has(file.path)).map((file) => file.path);
  const toggle = (path: string) => {
    const next = new Set(left);
    if (!next.delete(path)) next.add(path);
    setLeft(next);
  };
  const close = () => setWrites(null);
  const preview = async (merge: boolean, ticked: ReadonlyArray<string> = []) => {
    setMerging(merge);
    setConfirmed(ticked);
    const view = await accept(slot, chosen, true, merge, ticked);
    if (!view) return;
    setWrites(view.writes);
    setDoubts(view.doubts);
  };
  useOffer("accept", chosen.length === 0 || isBusy ? null : () => preview(false));
  const isStale = writes?.some((write) => write.code === "stale_file" || write.merged) ?? false;
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
        <button
          type="button"
          id="accept"
          className="primary"
          disabled={chosen.length === 0 || isBusy}
          onClick={() => preview(false)}
          aria-keyshortcuts="a"
        >
          {chosen.length === 0 ? text.accept.nothing : text.accept.accept(chosen.length)}
        </button>
      </div>
      <WriteDialog
        title={text.accept.title(slot)}
        writes={writes}
        refusal={text.accept.leaveOut}
        action={text.accept.write(chosen.length)}
        onClose={close}
        confirmed={confirmed}
        onConfirm={(path, isOn) =>
          preview(isMerging, isOn ? [...confirmed, path] : confirmed.filter((each) => each !== path))
        }
        onWrite={async () => {
          if (await accept(slot, chosen, false, isMerging, confirmed)) close();
        }}
      >
        <p>{text.accept.explain}</p>
        {doubts.map((doubt) => (
          <p key={doubt.flag} className="banner">
            {text.accept.doubt(doubt.text)}
          </p>
        ))}
        {isStale && (
          <label className="row">
            <input type="checkbox" checked={isMerging} onChange={() => preview(!isMerging, confirmed)} />
            {text.accept.merge}
          </label>
        )}
      </WriteDialog>
    </section>
  );
}

/** The version in view; earlier ones open in the history. */
function Versions({ generation, progress }: { generation: GenerationView; progress: SlotProgress }) {
  return (
    <span className="row">
      <span className="muted">{text.review.version(progress.version)}</span>
      <button type="button" className="quiet small" onClick={() => openPane("history", `${generation.cycle}`)}>
        {text.review.earlier}
      </button>
    </span>
  );
}

/** The model's text, which can be edited as a new version. */
function Raw({ live, progress }: { live: LiveResponse; progress: SlotProgress }) {
  const generation = use((state) => state.place.generation);
  const [draft, setDraft] = useWindowState<string | null>(
    `correction ${generation} ${progress.slot} ${progress.version}`,
    null,
  );
  const isBusy = use((state) => state.busy.has(`correct ${progress.slot}`));
  if (draft === null) {
    return (
      <>
        {!isActive(progress) && (
          <div className="row">
            <span className="muted">{text.review.fixExplain}</span>
            <button type="button" className="small push" onClick={() => setDraft(live.text.toString())}>
              {text.review.fix}
            </button>
          </div>
        )}
        <RawText live={live} isActive={isActive(progress)} />
      </>
    );
  }
  return (
    <div className="correction">
      <textarea
        aria-label={text.review.fixLabel}
        className="correction-text"
        value={draft}
        spellCheck={false}
        onChange={(event) => setDraft(event.target.value)}
      />
      <div className="row">
        <button type="button" onClick={() => setDraft(null)}>
          {text.shell.cancel}
        </button>
        <button
          type="button"
          className="primary push"
          disabled={isBusy || draft === live.text.toString() || draft.trim() === ""}
          onClick={() => correct(progress.slot, { version: progress.version, text: draft })}
        >
          {text.review.saveEdit}
        </button>
      </div>
    </div>
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
        {file.written_path && <span className="muted">{text.review.readFrom(file.written_path)}</span>}
        <Lines change={file.change} added={file.added} removed={file.removed} />
        {file.status !== "complete" && !file.flags.includes(file.status) && <span className="flag">{file.status}</span>}
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
