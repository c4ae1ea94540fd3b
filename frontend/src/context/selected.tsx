// The selected files as a list: cost at the level of detail, risks, and the saved selections.

import { useMemo, useState } from "react";
import type { SelectedFile } from "../api/generated";
import { Cross } from "../kit/icons";
import { text } from "../messages";
import { get, use } from "../state/store";
import { openPane } from "../state/window";
import { useWindowState } from "../state/windowstate";
import { number, tokensShort } from "../text/words";
import { changeSet, chosenFiles, showDetail } from "./state/context";
import { select } from "./state/select";

type Detail = SelectedFile["detail"];

const DETAILS: ReadonlyArray<Detail> = ["full", "outline", "head-tail", "path"];
/** A file that takes more than this share of the budget is marked. */
const LARGE_SHARE = 0.2;

type Order = "name" | "tokens" | "size";
const ORDERS: Readonly<Record<Order, (a: SelectedFile, b: SelectedFile) => number>> = {
  name: (a, b) => (a.path < b.path ? -1 : 1),
  tokens: (a, b) => (b.count?.tokens ?? 0) - (a.count?.tokens ?? 0),
  size: (a, b) => b.size - a.size,
};

export function Selected({ selection }: { selection: ReadonlySet<string> }) {
  const view = chosenFiles.use();
  const budget = use((state) => state.meter?.budget ?? null);
  const [order, setOrder] = useWindowState<Order>("chosen order", "tokens");
  const files = useMemo(
    () => (view?.files ?? []).filter((file) => selection.has(file.path)).toSorted(ORDERS[order]),
    [view, selection, order],
  );
  return (
    <div className="selected">
      <Sets />
      <label className="row sort">
        <span className="muted">{text.context.sortBy}</span>
        <select value={order} onChange={(event) => setOrder(event.target.value as Order)}>
          {(Object.keys(ORDERS) as Order[]).map((each) => (
            <option key={each} value={each}>
              {text.context.orders[each]}
            </option>
          ))}
        </select>
      </label>
      {view === null ? (
        <p className="empty">{text.shell.loading}</p>
      ) : files.length === 0 ? (
        <p className="empty">{text.context.nothingSelected}</p>
      ) : (
        <ul className="chosen-files" aria-label={text.context.selectedLabel}>
          {files.map((file) => (
            <Item key={file.path} file={file} budget={budget} />
          ))}
        </ul>
      )}
    </div>
  );
}

function Item({ file, budget }: { file: SelectedFile; budget: number | null }) {
  const share = budget && file.count ? file.count.tokens / budget : 0;
  const risk = file.findings > 0 || file.problem ? "bad" : file.is_changed || share > LARGE_SHARE ? "warn" : "none";
  return (
    <li className={`chosen-file is-${risk}`}>
      <div className="row">
        <span className="path" title={file.path}>
          {file.path}
        </span>
        {file.count && (
          <span className="cost push" title={text.context.tokens(number(file.count.tokens), file.count.exact, share)}>
            {tokensShort(file.count)}
          </span>
        )}
        <button
          type="button"
          className="quiet small"
          aria-label={text.context.deselect(file.path)}
          onClick={() => {
            const rest = new Set(get().selection);
            rest.delete(file.path);
            void select(rest);
          }}
        >
          <Cross />
        </button>
      </div>
      <div className="row chosen-facts">
        <select
          className="chip"
          aria-label={text.context.detailOf(file.path)}
          value={file.detail}
          onChange={(event) => showDetail([file.path], event.target.value as Detail)}
        >
          {DETAILS.map((detail) => (
            <option key={detail} value={detail}>
              {text.context.details[detail]}
            </option>
          ))}
        </select>
        {file.problem && <span className="error-text">{file.problem}</span>}
        {file.findings > 0 && (
          <button type="button" className="flag is-bad" onClick={() => openPane("prompt", "secrets")}>
            {text.context.secrets(file.findings)}
          </button>
        )}
        {file.guess && (
          <span className={file.is_doubtful ? "flag is-bad" : "flag"} title={text.context.guessTitle}>
            {text.context.guess(file.guess, file.is_doubtful)}
          </span>
        )}
        {file.is_changed && (
          <span className="flag" title={text.context.changedTitle}>
            {text.context.changed}
          </span>
        )}
        {share > LARGE_SHARE && <span className="flag">{text.context.share(share)}</span>}
      </div>
      {budget !== null && (
        <span className="share-bar" aria-hidden="true">
          <span style={{ width: `${Math.min(share, 1) * 100}%` }} />
        </span>
      )}
    </li>
  );
}

function Sets() {
  const sets = chosenFiles.use()?.sets ?? [];
  const isBusy = use((state) => state.busy.has("sets"));
  const [name, setName] = useState("");
  const [wanted, setWanted] = useState("");
  const current = sets.find((each) => each.is_selection)?.name ?? "";
  const chosen = sets.some((each) => each.name === wanted) ? wanted : current || (sets[0]?.name ?? "");
  return (
    <details className="sets">
      <summary>{text.context.sets(sets.length, current)}</summary>
      {sets.length > 0 && (
        <div className="row">
          <select aria-label={text.context.set} value={chosen} onChange={(event) => setWanted(event.target.value)}>
            {sets.map((each) => (
              <option key={each.name} value={each.name}>
                {text.context.setFiles(each.name, each.files)}
              </option>
            ))}
          </select>
          {(["load", "merge", "delete"] as const).map((act) => (
            <button
              key={act}
              type="button"
              className="small"
              disabled={isBusy}
              onClick={() => changeSet({ name: chosen, act })}
            >
              {text.context.setActs[act]}
            </button>
          ))}
        </div>
      )}
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault();
          void changeSet({ name: name.trim(), act: "save" });
          setName("");
        }}
      >
        <input
          aria-label={text.context.setName}
          placeholder={text.context.setName}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <button type="submit" className="small" disabled={isBusy || name.trim() === ""}>
          {text.context.saveSet}
        </button>
      </form>
    </details>
  );
}
