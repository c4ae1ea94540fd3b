// The record of one cycle: its generations, every version of their responses, what was accepted when, and Restore.

import { useState } from "react";
import { Restore } from "../accept";
import { api } from "../api/client";
import type {
  Acceptance,
  AcceptedFile,
  GenerationSummary,
  RecordView,
  VersionRow,
  VersionView,
} from "../api/generated";
import { Dialog } from "../kit/dialog";
import { ErrorLine } from "../kit/errorline";
import { StatusIcon } from "../kit/icons";
import { Lines } from "../kit/lines";
import { Markdown } from "../kit/markdown";
import { text } from "../messages";
import { useAnswer } from "../state/answer";
import { attempt } from "../state/attempt";
import { NOWHERE } from "../state/place";
import { notify, use } from "../state/store";
import { chooseCycle, go, loadWorkspace, openPane } from "../state/window";
import { moment } from "../text/words";

export function CycleRecord({ cycle }: { cycle: number }) {
  const [view, error] = useAnswer<RecordView>(() => api.record(cycle), `record ${cycle}`);
  const cycles = use((state) => state.workspace?.cycles) ?? [];
  const at = cycles.findIndex(({ id }) => id === cycle);
  const [earlier, later] = [cycles[at - 1]?.id, cycles[at + 1]?.id];
  return (
    <section className="card record" aria-labelledby="record-title">
      <div className="row">
        <h3 id="record-title">{view ? text.history.hitCycle(cycle, view.cycle.title) : text.history.record(cycle)}</h3>
        <span className="row push">
          <button type="button" onClick={() => openPane("history")}>
            {text.history.allCycles}
          </button>
          <button type="button" disabled={earlier === undefined} onClick={() => openPane("history", String(earlier))}>
            {text.history.earlier}
          </button>
          <button type="button" disabled={later === undefined} onClick={() => openPane("history", String(later))}>
            {text.history.later}
          </button>
        </span>
      </div>
      {error && <ErrorLine error={error} />}
      {view && <Record view={view} />}
    </section>
  );
}

function Record({ view }: { view: RecordView }) {
  const { cycle, generations, versions, acceptances } = view;
  return (
    <>
      {cycle.context && (
        <div>
          <h4>{cycle.id === 0 ? text.history.scopeTitle : text.history.context}</h4>
          <p className="prose record-context" tabIndex={0} role="region" aria-label={text.history.context}>
            {cycle.context}
          </p>
        </div>
      )}
      <div>
        <h4>{text.history.generations}</h4>
        {generations.length === 0 && <p className="muted">{text.history.noGenerations}</p>}
        {generations.toReversed().map((generation) => (
          <Generation
            key={generation.id}
            generation={generation}
            versions={versions.filter((row) => row.generation === generation.id)}
          />
        ))}
      </div>
      <div>
        <h4>{text.history.accepted}</h4>
        {acceptances.length === 0 && <p className="muted">{text.history.nothingAccepted}</p>}
        <ul className="record-list">
          {acceptances.map((acceptance) => (
            <Accepted key={acceptance.id} acceptance={acceptance} />
          ))}
        </ul>
      </div>
      <div className="row">
        <button type="button" className="primary" onClick={() => chooseCycle(cycle.id)}>
          {text.history.open}
        </button>
        {cycle.id !== 0 && <Delete cycle={cycle.id} />}
      </div>
    </>
  );
}

function Generation({ generation, versions }: { generation: GenerationSummary; versions: ReadonlyArray<VersionRow> }) {
  const latest = new Map(versions.map((row) => [row.slot, row])); // sorted by slot and version
  return (
    <div className="record-generation">
      <p>{text.history.generation(generation.id, moment(generation.created_at), generation.model)}</p>
      <ul className="record-slots">
        {[...latest.values()].map((row) => (
          <li key={row.slot}>
            <button
              type="button"
              className="small"
              aria-label={text.history.openResponse(row.slot, row.status, row.tokens)}
              onClick={() => go({ ...NOWHERE, cycle: generation.cycle, generation: generation.id, slot: row.slot })}
            >
              <StatusIcon status={row.status} />
              {text.history.response(row.slot, row.status, row.tokens)}
            </button>
            {versions
              .filter((older) => older.slot === row.slot && older.version < row.version)
              .map((older) => (
                <button
                  key={older.version}
                  type="button"
                  className="quiet small"
                  aria-label={text.history.openVersion(older.slot, older.version)}
                  onClick={() =>
                    openPane("history", [generation.cycle, generation.id, older.slot, older.version].join("/"))
                  }
                >
                  {text.history.version(older.version)}
                </button>
              ))}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Accepted({ acceptance }: { acceptance: Acceptance }) {
  return (
    <li className="row accepted-row">
      <span>
        {text.history.acceptance(
          moment(acceptance.created_at),
          acceptance.slot,
          acceptance.generation,
          acceptance.version,
        )}
        <span className="muted accepted-files">{acceptance.files.map(fileOf).join(", ")}</span>
      </span>
      <span className="row push">
        <span className="muted">
          {acceptance.restored_at === null
            ? text.history.inForce
            : text.history.restoredAt(moment(acceptance.restored_at))}
        </span>
        <Restore acceptance={acceptance} isRedo={acceptance.restored_at !== null} />
      </span>
    </li>
  );
}

/** A file, with the responses it came from unless that is only the accepted one. */
function fileOf({ path, slot, also }: AcceptedFile): string {
  const others = [...(slot > 0 ? [slot] : []), ...also];
  return others.length > 0 ? text.accept.fileFrom(path, others) : path;
}

function Delete({ cycle }: { cycle: number }) {
  const [isAsking, ask] = useState(false);
  const isBusy = use((state) => state.busy.has("delete"));
  const remove = () =>
    attempt("delete", async () => {
      await api.deleteCycle(cycle);
      ask(false);
      notify({ kind: "done", text: text.history.deleted(cycle) });
      openPane("history");
      await loadWorkspace();
    });
  return (
    <>
      <button type="button" className="push" onClick={() => ask(true)}>
        {text.history.delete}
      </button>
      <Dialog title={text.history.deleteSure(cycle)} isOpen={isAsking} onClose={() => ask(false)}>
        <p>{text.history.deleteNote}</p>
        <div className="row buttons">
          <button type="button" onClick={() => ask(false)}>
            {text.shell.cancel}
          </button>
          <button type="button" className="primary push" disabled={isBusy} onClick={remove}>
            {text.history.deleteIt}
          </button>
        </div>
      </Dialog>
    </>
  );
}

interface VersionProps {
  cycle: number;
  generation: number;
  slot: number;
  version: number;
}

/** One version of a response, whether or not it was regenerated since. */
export function VersionText({ cycle, generation, slot, version }: VersionProps) {
  const [view, error] = useAnswer<VersionView>(
    () => api.version(generation, slot, version),
    `version ${generation} ${slot} ${version}`,
  );
  return (
    <section className="card record" aria-labelledby="version-title">
      <div className="row">
        <h3 id="version-title">{text.history.versionTitle(slot, version, generation)}</h3>
        <span className="row push">
          <button type="button" onClick={() => go({ ...NOWHERE, cycle, generation, slot })}>
            {text.review.response(slot)}
          </button>
          <button type="button" onClick={() => openPane("history", String(cycle))}>
            {text.history.record(cycle)}
          </button>
        </span>
      </div>
      {error && <ErrorLine error={error} />}
      {view?.reading && <Markdown source={view.reading.summary} />}
      <ul className="writes">
        {view?.reading?.files.map((file) => (
          <li key={file.path}>
            <span className="path">{file.path}</span>
            <Lines change={file.change} added={file.added} removed={file.removed} />
          </li>
        ))}
      </ul>
      {view && (
        <div className="raw-text" tabIndex={0} role="region" aria-label={text.history.rawText}>
          <pre>{view.response.text}</pre>
        </div>
      )}
    </section>
  );
}
