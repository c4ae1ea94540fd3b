// Finds files to select: changed in git, changed since a cycle, or named in a stack trace, a diff or a log.

import { useState } from "react";
import type { FindFilesRequest } from "../api/generated";
import { Dialog } from "../kit/dialog";
import { text } from "../messages";
import { get, use } from "../state/store";
import { findFiles } from "./state/context";
import { select } from "./state/select";

type Source = "git" | "cycle" | "trace";
const SOURCES: ReadonlyArray<Source> = ["git", "cycle", "trace"];

export function Finder({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Dialog title={text.context.find} isOpen={isOpen} onClose={onClose}>
      <Form onClose={onClose} />
    </Dialog>
  );
}

function Form({ onClose }: { onClose: () => void }) {
  const cycles = use((state) => state.workspace?.cycles) ?? [];
  const isBusy = use((state) => state.busy.has("find"));
  const [source, setSource] = useState<Source>("git");
  const [commit, setCommit] = useState("");
  const [trace, setTrace] = useState("");
  const asked = cycles.filter((cycle) => cycle.generation !== null);
  const [cycle, setCycle] = useState(asked.at(-1)?.id ?? 0);
  const [found, setFound] = useState<ReadonlyArray<string> | null>(null);
  const order: FindFilesRequest =
    source === "cycle" ? { source, cycle } : { source, text: source === "git" ? commit.trim() : trace };
  const change = (act: () => void) => {
    act();
    setFound(null);
  };
  const take = (base: ReadonlySet<string>) => {
    void select(new Set([...base, ...(found ?? [])]));
    onClose();
  };
  return (
    <form
      className="finder"
      onSubmit={async (event) => {
        event.preventDefault();
        const paths = await findFiles(order);
        if (paths) setFound(paths);
      }}
    >
      <fieldset>
        <legend className="hidden">{text.context.find}</legend>
        {SOURCES.map((each) => (
          <label key={each} className="row">
            <input
              type="radio"
              name="source"
              checked={source === each}
              disabled={each === "cycle" && asked.length === 0}
              onChange={() => change(() => setSource(each))}
            />
            {text.context.sources[each]}
          </label>
        ))}
      </fieldset>
      {source === "git" && (
        <label>
          <span className="muted">{text.context.commit}</span>{" "}
          <input
            value={commit}
            placeholder={text.context.commitPlaceholder}
            onChange={(event) => change(() => setCommit(event.target.value))}
          />
        </label>
      )}
      {source === "cycle" && (
        <label>
          <span className="muted">{text.cycle.label}</span>{" "}
          <select value={cycle} onChange={(event) => change(() => setCycle(Number(event.target.value)))}>
            {asked.toReversed().map((each) => (
              <option key={each.id} value={each.id}>
                {text.cycle.name(each.id, each.title)}
              </option>
            ))}
          </select>
        </label>
      )}
      {source === "trace" && (
        <textarea
          aria-label={text.context.trace}
          placeholder={text.context.trace}
          rows={6}
          value={trace}
          onChange={(event) => change(() => setTrace(event.target.value))}
        />
      )}
      {found !== null && (
        <div role="status">
          <p>{text.context.found(found.length)}</p>
          <ul className="found-files">
            {found.map((path) => (
              <li key={path} className="path">
                {path}
              </li>
            ))}
          </ul>
        </div>
      )}
      <div className="row buttons">
        <button type="submit" disabled={isBusy || (source === "trace" && trace.trim() === "")}>
          {text.context.look}
        </button>
        <button type="button" className="push" disabled={!found?.length} onClick={() => take(new Set())}>
          {text.context.replace}
        </button>
        <button type="button" className="primary" disabled={!found?.length} onClick={() => take(get().selection)}>
          {text.context.add}
        </button>
      </div>
    </form>
  );
}
