// .dce/checks.toml: what is proposed for it, its text, and what its checks say of the workspace as it is.

import { useEffect } from "react";
import type { CheckLine, ChecksFileView } from "../api/generated";
import { ErrorLine } from "../kit/errorline";
import { PaneScreen } from "../kit/pane";
import { text } from "../messages";
import { use } from "../state/store";
import { Report } from "./checkrun";
import {
  checksFileOf,
  type Draft,
  draftOf,
  loadChecksFile,
  runOnWorkspace,
  saveChecks,
  setDraft,
  stopOnWorkspace,
  triedOf,
} from "./state/checks";

export function ChecksScreen() {
  const file = checksFileOf.use();
  useEffect(() => {
    void loadChecksFile();
  }, []);
  return (
    <PaneScreen title={text.shell.screens.checks} className="checks-screen">
      {file === null ? <p className="empty">{text.shell.loading}</p> : <File file={file} />}
    </PaneScreen>
  );
}

function File({ file }: { file: ChecksFileView }) {
  const draft = draftOf.use();
  const isNew = file.checks.length === 0 && file.problem === "";
  const shown = draft?.text ?? (isNew ? file.proposed || file.text : file.text);
  const save = () => saveChecks(shown, draft?.seen ?? file.text);
  return (
    <>
      {isNew ? <Proposals file={file} shown={shown} onUse={save} /> : <Commands file={file} />}
      <WorkspaceChecks file={file} draft={draft?.text ?? (isNew ? shown : null)} />
      <Editor file={file} shown={shown} draft={draft} onSave={isNew ? null : save} />
    </>
  );
}

function Proposals({ file, shown, onUse }: { file: ChecksFileView; shown: string; onUse: () => void }) {
  return (
    <section className="card" aria-labelledby="checks-found">
      <h3 id="checks-found">{text.checks.none}</h3>
      <p className="muted">{text.checks.noneNote}</p>
      {file.found.length > 0 ? (
        <>
          <h4>{text.checks.found}</h4>
          <Lines lines={file.found} />
          {file.left_out.length > 0 && <p className="muted">{text.checks.leftOut(file.left_out)}</p>}
        </>
      ) : (
        <p>{text.checks.nothingFound}</p>
      )}
      <div className="row">
        <button type="button" className="primary" disabled={shown.trim() === ""} onClick={onUse}>
          {text.checks.use}
        </button>
        <span className="muted">{text.checks.useNote(file.path)}</span>
      </div>
    </section>
  );
}

function Commands({ file }: { file: ChecksFileView }) {
  return (
    <section className="card" aria-labelledby="checks-commands">
      <h3 id="checks-commands">{text.checks.commands}</h3>
      {file.problem ? (
        <p className="banner is-error">{text.checks.problem(file.problem)}</p>
      ) : (
        <Lines lines={file.checks} />
      )}
    </section>
  );
}

function Lines({ lines }: { lines: ReadonlyArray<CheckLine> }) {
  return (
    <ul className="check-lines">
      {lines.map((line) => (
        <li key={line.name}>
          <b>{line.name}</b>
          <span className="stage" title={text.checks.stageTitle}>
            {text.checks.stage[line.stage]}
          </span>
          <code>
            {line.cwd && <span className="muted">{`${line.cwd}/ `}</span>}
            {line.command}
          </code>
          <span className="muted">{line.why || text.checks.timeout(line.timeout_s)}</span>
        </li>
      ))}
    </ul>
  );
}

/** `draft`: a text that is not saved, whose checks are tried; null: the saved ones. */
function WorkspaceChecks({ file, draft }: { file: ChecksFileView; draft: string | null }) {
  const tried = triedOf.use();
  const isBusy = use((state) => state.busy.has("workspace checks"));
  const isStopping = use((state) => state.busy.has("stop workspace checks"));
  const isRunning = isBusy || file.is_running;
  const report = draft === null ? file.report : tried?.text === draft ? tried.report : null;
  return (
    <section className="card" aria-labelledby="checks-base">
      <div className="row">
        <h3 id="checks-base">{text.checks.asItIs}</h3>
        {isRunning ? (
          <span className="row push">
            <span className="muted" role="status">
              {text.checks.runningAsItIs}
            </span>
            <button type="button" className="small" disabled={isStopping} onClick={() => stopOnWorkspace()}>
              {text.checks.stopAsItIs}
            </button>
          </span>
        ) : (
          <button
            type="button"
            className="small push"
            disabled={draft !== null && draft.trim() === ""}
            onClick={() => runOnWorkspace(draft, draft === null && file.report !== null)}
          >
            {draft === null ? (file.report ? text.checks.again : text.checks.runAsItIs) : text.checks.tryThem}
          </button>
        )}
      </div>
      <p className="muted">{draft === null ? text.checks.asItIsNote : text.checks.tryNote}</p>
      {file.failure && !isRunning && <ErrorLine error={file.failure} />}
      {report ? (
        <div aria-busy={isRunning}>
          <Report report={report} isBase />
        </div>
      ) : (
        draft === null && !isRunning && !file.failure && <p className="empty">{text.checks.notRunAsItIs}</p>
      )}
    </section>
  );
}

/** `onSave` null: the proposals have the button. */
function Editor({
  file,
  shown,
  draft,
  onSave,
}: {
  file: ChecksFileView;
  shown: string;
  draft: Draft | null;
  onSave: (() => void) | null;
}) {
  const isBusy = use((state) => state.busy.has("save checks"));
  const edit = (value: string) =>
    setDraft(value === file.text && onSave !== null ? null : { text: value, seen: draft?.seen ?? file.text });
  return (
    <section className="card" aria-labelledby="checks-file">
      <h3 id="checks-file" className="path">
        {file.path}
      </h3>
      {draft && draft.seen !== file.text && <p className="banner">{text.checks.changedElsewhere}</p>}
      <textarea
        className="checks-text"
        aria-label={text.checks.fileLabel}
        spellCheck={false}
        value={shown}
        onChange={(event) => edit(event.target.value)}
      />
      <p className="muted">{text.checks.fileNote}</p>
      <div className="row">
        {draft && (
          <button type="button" className="quiet" onClick={() => setDraft(null)}>
            {text.checks.discard}
          </button>
        )}
        {onSave && (
          <button
            type="button"
            className="primary push"
            disabled={draft === null || shown.trim() === "" || isBusy}
            onClick={onSave}
          >
            {text.checks.save}
          </button>
        )}
      </div>
    </section>
  );
}
