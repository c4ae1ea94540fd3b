// The files: a tree with a filter, or the list of selected files with their cost and risks.

import { useDeferredValue, useEffect, useMemo, useState } from "react";
import { Plus, Refresh } from "../kit/icons";
import { text } from "../messages";
import type { FileTable } from "../state/filetable";
import { use } from "../state/store";
import { loadFiles } from "../state/window";
import { useWindowState } from "../state/windowstate";
import { tokensShort } from "../text/words";
import { FileTree } from "./filetree";
import { Finder } from "./finder";
import { Selected } from "./selected";
import { chosenFiles, type Filter, findFiles, gitChanges, loadGit, matchesOf, NO_FILTER } from "./state/context";
import { foldFiles, openFiles, useFilesFolded } from "./state/folding";
import { select } from "./state/select";

const SEEK_AFTER_MS = 300;
const MIN_TOKENS = [0, 1_000, 5_000, 20_000];

export function Files() {
  const table = use((state) => state.files);
  const selection = use((state) => state.selection);
  const [isList, setList] = useWindowState("files list", false);
  const hasResponses = use((state) => state.place.generation !== null);
  const isFolded = useFilesFolded(hasResponses);
  const [isFinding, setFinding] = useState(false);
  return (
    <section className={isFolded ? "files is-folded" : "files"} aria-labelledby="files-title">
      <div className="row">
        <h2 id="files-title">{text.context.title}</h2>
        {/* Shown only where files and responses share one column. */}
        <button
          type="button"
          className="quiet small files-fold"
          aria-expanded={!isFolded}
          onClick={() => (isFolded ? openFiles() : foldFiles())}
        >
          {isFolded ? text.context.showFiles : text.context.hideFiles}
        </button>
        <div className="facets push" role="group" aria-label={text.context.view}>
          <button type="button" aria-pressed={!isList} onClick={() => setList(false)}>
            {text.context.all}
          </button>
          <button type="button" aria-pressed={isList} onClick={() => setList(true)}>
            {text.context.selectedOnly(selection.size)}
          </button>
        </div>
        <button
          type="button"
          className="quiet"
          aria-label={text.context.find}
          title={text.context.find}
          onClick={() => setFinding(true)}
        >
          <Plus />
        </button>
        <button
          type="button"
          className="quiet"
          aria-label={text.context.reload}
          title={text.context.reload}
          onClick={() => loadFiles(true)}
        >
          <Refresh />
        </button>
      </div>
      {table === null ? (
        <p className="empty">{text.context.reading}</p>
      ) : isList ? (
        <Selected selection={selection} />
      ) : (
        <Browse table={table} selection={selection} />
      )}
      <Totals table={table} selection={selection} />
      <Finder isOpen={isFinding} onClose={() => setFinding(false)} />
    </section>
  );
}

function Browse({ table, selection }: { table: FileTable; selection: ReadonlySet<string> }) {
  const [filter, setFilter] = useWindowState<Filter>("files filter", NO_FILTER);
  const git = gitChanges.use();
  const budget = use((state) => state.meter?.budget ?? null);
  const holding = useHolding(filter);
  const late = useDeferredValue(filter);
  // A row must not vanish when it is deselected: files that were selected when the filter was set stay in view.
  const matches = useMemo(
    () => matchesOf(table, late, { selection, git, holding }),
    [table, late, late.only === "selected" ? selection : null, git, holding], // oxlint-disable-line react-hooks/exhaustive-deps
  );
  const found = useMemo(() => matches?.reduce((sum, hit) => sum + hit, 0) ?? table.paths.length, [matches, table]);
  useEffect(() => {
    if (filter.only === "changed" && gitChanges.get() === null) void loadGit();
  }, [filter.only]);
  const isWaiting =
    (filter.isContent && filter.words !== "" && holding === null) || (filter.only === "changed" && git === null);
  return (
    <>
      <FilterRow filter={filter} onChange={setFilter} />
      {isWaiting ? (
        <p className="empty">{text.context.seeking}</p>
      ) : found === 0 ? (
        <p className="empty">{matches ? text.context.noMatch : text.context.noFiles}</p>
      ) : (
        <FileTree {...{ table, selection, matches, git, budget }} onSelect={(next) => void select(next)} />
      )}
      <span className="hidden" role="status">
        {matches && !isWaiting && text.context.found(found)}
      </span>
    </>
  );
}

/** The files whose content contains the filter's words; searched a moment after the last key. */
function useHolding({ isContent, words }: Filter): ReadonlySet<string> | null {
  const [found, setFound] = useState<{ words: string; paths: ReadonlySet<string> } | null>(null);
  const sought = isContent ? words.trim() : "";
  useEffect(() => {
    if (sought === "") return;
    let isCurrent = true;
    const timer = setTimeout(async () => {
      const paths = await findFiles({ source: "content", text: sought });
      if (isCurrent) setFound({ words: sought, paths: new Set(paths || []) });
    }, SEEK_AFTER_MS);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [sought]);
  return found?.words === sought ? found.paths : null;
}

function FilterRow({ filter, onChange }: { filter: Filter; onChange: (filter: Filter) => void }) {
  return (
    <div className="filters">
      <input
        type="search"
        id="file-filter"
        className="filter"
        placeholder={filter.isContent ? text.context.filterContent : text.context.filter}
        aria-label={filter.isContent ? text.context.filterContentLabel : text.context.filterLabel}
        aria-keyshortcuts="f"
        value={filter.words}
        onChange={(event) => onChange({ ...filter, words: event.target.value })}
        onKeyDown={(event) => {
          if (event.key !== "ArrowDown") return;
          event.preventDefault();
          document.getElementById("file-tree")?.focus();
        }}
      />
      <div className="row chips">
        <button
          type="button"
          className="chip"
          aria-pressed={filter.isContent}
          title={text.context.inContentTitle}
          onClick={() => onChange({ ...filter, isContent: !filter.isContent })}
        >
          {text.context.inContent}
        </button>
        {(["selected", "changed"] as const).map((only) => (
          <button
            key={only}
            type="button"
            className="chip"
            aria-pressed={filter.only === only}
            title={text.context.onlyTitle[only]}
            onClick={() => onChange({ ...filter, only: filter.only === only ? "all" : only })}
          >
            {text.context.only[only]}
          </button>
        ))}
        <select
          className="chip"
          aria-label={text.context.minTokens}
          value={filter.minTokens}
          onChange={(event) => onChange({ ...filter, minTokens: Number(event.target.value) })}
        >
          {MIN_TOKENS.map((least) => (
            <option key={least} value={least}>
              {text.context.atLeast(least)}
            </option>
          ))}
        </select>
      </div>
    </div>
  );
}

function Totals({ table, selection }: { table: FileTable | null; selection: ReadonlySet<string> }) {
  const rows = chosenFiles.use();
  const budget = use((state) => state.meter?.budget ?? null);
  const total = useMemo(() => {
    let [files, tokens, isExact] = [0, 0, true];
    // At their level of detail if known, else in full.
    const shown = new Map(rows?.files.map((file) => [file.path, file]));
    for (const path of selection) {
      const found = table?.find(path);
      if (!found) continue;
      const count = shown.get(path)?.count ?? found;
      files += 1;
      tokens += count.tokens;
      isExact &&= count.exact;
    }
    return { files, tokens, isExact };
  }, [table, selection, rows]);
  const gone = selection.size - total.files;
  return (
    <div className="totals">
      <span aria-live="polite">
        {selection.size === 0
          ? text.context.nothingSelected
          : text.context.selected(total.files, tokensShort({ tokens: total.tokens, exact: total.isExact }))}
        {budget !== null && total.tokens > 0 && (
          <span className="muted"> {text.context.ofBudget(total.tokens / budget)}</span>
        )}
        {table !== null && table.paths.length > 0 && gone > 0 && text.context.gone(gone)}
      </span>
      {selection.size > 0 && (
        <button type="button" className="quiet push" onClick={() => select(new Set())}>
          {text.context.clear}
        </button>
      )}
    </div>
  );
}
