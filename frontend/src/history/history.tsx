// The history: all cycles, a search over all cycles and responses, and the record of one cycle.
//
// The address says what is shown: `!history/find/words`, `!history/12`, `!history/12/3/4/1` (version 1 of response 4 of generation 3).

import { useState } from "react";
import { api } from "../api/client";
import type { HistoryRow, HistoryView, Hit, SearchView } from "../api/generated";
import { importHistory } from "../api/transfer";
import { ErrorLine } from "../kit/errorline";
import { PaneScreen } from "../kit/pane";
import { text } from "../messages";
import { useAnswer } from "../state/answer";
import { attempt } from "../state/attempt";
import { notify, use } from "../state/store";
import { chooseCycle, loadWorkspace, openPane } from "../state/window";
import { moment } from "../text/words";
import { CycleRecord, VersionText } from "./record";

const FIND = "find/";

export function HistoryScreen() {
  const detail = use((state) => state.place.detail);
  const numbers = detail.split("/").map(Number);
  const [cycle, generation, slot, version] = numbers;
  const isNumbered = detail !== "" && numbers.every(Number.isInteger);
  return (
    <PaneScreen title={text.shell.screens.history} className="history">
      {isNumbered && cycle !== undefined && generation !== undefined && slot !== undefined && version !== undefined ? (
        <VersionText {...{ cycle, generation, slot, version }} />
      ) : isNumbered && cycle !== undefined ? (
        <CycleRecord cycle={cycle} />
      ) : (
        <Overview words={detail.startsWith(FIND) ? detail.slice(FIND.length) : ""} />
      )}
    </PaneScreen>
  );
}

function Overview({ words }: { words: string }) {
  const [typed, setTyped] = useState(words);
  return (
    <section className="card" aria-label={text.shell.screens.history}>
      <div className="row">
        <input
          type="search"
          className="find"
          aria-label={text.history.find}
          placeholder={text.history.findHint}
          value={typed}
          onChange={(event) => {
            setTyped(event.target.value);
            const next = event.target.value.trim();
            openPane("history", next ? FIND + next : "", true);
          }}
        />
        <Jump />
      </div>
      {words ? <Hits words={words} /> : <Cycles />}
      <Transfer />
    </section>
  );
}

const take = (file: File) =>
  attempt("import", async () => {
    const report = await importHistory(file);
    notify({ kind: "done", text: text.history.imported(Object.keys(report.cycles).length, report.responses) });
    await loadWorkspace();
  });

/** Export and import of the whole history. */
function Transfer() {
  const isBusy = use((state) => state.busy.has("import"));
  return (
    <div className="row transfer">
      <a className="button" href="/api/export" download title={text.history.exportNote}>
        {text.history.export}
      </a>
      <label className={isBusy ? "button is-busy" : "button"}>
        {text.history.import}
        <input
          type="file"
          className="hidden"
          disabled={isBusy}
          onChange={(event) => {
            const file = event.target.files?.[0];
            event.target.value = "";
            if (file) void take(file);
          }}
        />
      </label>
    </div>
  );
}

function Jump() {
  const cycles = use((state) => state.workspace?.cycles);
  const [number, setNumber] = useState("");
  const isThere = number !== "" && cycles?.some(({ id }) => id === Number(number));
  return (
    <form
      className="row push"
      onSubmit={(event) => {
        event.preventDefault();
        if (isThere) openPane("history", String(Number(number)));
      }}
    >
      <label className="count">
        <span>{text.history.jump}</span>
        <input inputMode="numeric" value={number} onChange={(event) => setNumber(event.target.value)} />
      </label>
      <button type="submit" disabled={!isThere}>
        {text.history.go}
      </button>
    </form>
  );
}

function Cycles() {
  const [view, error] = useAnswer<HistoryView>(api.history, "");
  if (error) return <ErrorLine error={error} />;
  if (!view) return <p className="empty">{text.shell.loading}</p>;
  return (
    <ol className="record-list" aria-label={text.history.cycles}>
      {view.rows.map((row) => (
        <CycleRow key={row.id} row={row} />
      ))}
    </ol>
  );
}

function CycleRow({ row }: { row: HistoryRow }) {
  const isHere = use((state) => state.place.cycle === row.id);
  const title = row.id === 0 ? text.history.scopeTitle : row.title || text.history.untitled;
  return (
    <li>
      <button
        type="button"
        className="record-row"
        aria-current={isHere ? "true" : undefined}
        onClick={() => openPane("history", String(row.id))}
      >
        <span className="record-id">{row.id}</span>
        <span className="record-title">{title}</span>
        <span className="muted">{text.history.row(row.responses, row.tokens)}</span>
        {row.chosen_slot !== null && <span className="badge">{text.history.chosen(row.chosen_slot)}</span>}
        <span className="muted record-time">{moment(row.updated_at)}</span>
      </button>
    </li>
  );
}

function Hits({ words }: { words: string }) {
  const [view, error] = useAnswer<SearchView>(() => api.search(words), words);
  if (error) return <ErrorLine error={error} />;
  if (!view) return <p className="empty">{text.shell.loading}</p>;
  return (
    <>
      <p className="muted" role="status">
        {view.hits.length === 0 ? text.history.noHits : text.history.hits(view.hits.length, view.limit)}
      </p>
      <ol className="record-list" aria-label={text.history.find}>
        {view.hits.map((hit) => (
          <HitRow key={`${hit.cycle} ${hit.generation} ${hit.slot} ${hit.version}`} hit={hit} />
        ))}
      </ol>
    </>
  );
}

function HitRow({ hit }: { hit: Hit }) {
  const { cycle, generation, slot, version } = hit;
  const isResponse = generation !== null && slot !== null && version !== null;
  return (
    <li>
      <button
        type="button"
        className="record-row is-hit"
        onClick={() => {
          if (isResponse) openPane("history", [cycle, generation, slot, version].join("/"));
          else chooseCycle(cycle);
        }}
      >
        <span className="record-title">
          {isResponse
            ? text.history.hitResponse(cycle, generation, slot, version)
            : text.history.hitCycle(cycle, hit.title)}
        </span>
        <span className="muted excerpt">{hit.excerpt}</span>
      </button>
    </li>
  );
}
